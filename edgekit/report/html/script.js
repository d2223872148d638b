(() => {
  "use strict";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = (() => { try { return localStorage.getItem("edgekit-theme"); } catch { return null; } })();
  root.dataset.theme = stored || (system.matches ? "dark" : "light");
  if (!stored) system.addEventListener("change", (e) => { root.dataset.theme = e.matches ? "dark" : "light"; });

  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("edgekit-theme", root.dataset.theme); } catch { /* a private window keeps nothing */ }
  });

  const download = document.getElementById("download");
  download.hidden = false;
  download.addEventListener("click", () => {
    const text = document.getElementById("report").textContent;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "report.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });

  for (const block of document.querySelectorAll(".block")) {
    const input = block.querySelector(".filter input");
    const rows = [...block.querySelectorAll("tbody tr, .gauges article")];
    if (input) {
      const output = block.querySelector(".filter output");
      const texts = rows.map((row) => row.textContent.toLowerCase());
      const apply = () => {
        const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
        let shown = 0;
        rows.forEach((row, i) => {
          row.hidden = !words.every((word) => texts[i].includes(word));
          shown += row.hidden ? 0 : 1;
        });
        output.textContent = words.length ? `${shown} of ${rows.length}` : "";
      };
      input.addEventListener("input", apply);
    }
    const heads = [...block.querySelectorAll("th")];
    heads.forEach((head, column) => {
      head.addEventListener("click", () => {
        const numeric = !/\b(text|name|names|status)\b/.test(head.className);
        const down = head.getAttribute("aria-sort") === (numeric ? "descending" : "ascending");
        const sign = numeric === down ? 1 : -1;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        const key = (row) => row.cells[column].dataset.order;
        const body = head.closest("table").tBodies[0];
        [...body.rows]
          .sort((a, b) => sign * (numeric ? (parseFloat(key(a)) || 0) - (parseFloat(key(b)) || 0) : key(a).localeCompare(key(b), undefined, { numeric: true })))
          .forEach((row) => body.append(row));
      });
    });
  }

  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
  const blocks = [...document.querySelectorAll(".block")];
  const mark = () => {
    const here = blocks.filter((b) => b.getBoundingClientRect().top < 140).pop() || blocks[0];
    links.forEach((link, id) => link.classList.toggle("here", here && id === here.id));
  };
  addEventListener("scroll", mark, { passive: true });
  mark();
  const open = () => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.querySelector("details")?.setAttribute("open", "");
  addEventListener("hashchange", open);
  open();
})();
