(() => {
  "use strict";
  const STATES = ["native", "decomposed", "fallback", "unknown", "unsupported"];
  const WORDS = { native: "one op", decomposed: "several ops", fallback: "on the CPU", unsupported: "runs nowhere", unknown: "undecided" };
  const WIDE = 208, HIGH = 40, GAP_X = 22, GAP_Y = 26, MARGIN = 28, MOST = 48, CHUNK = 12;
  const SVG = "http://www.w3.org/2000/svg";
  const make = (tag, attributes = {}, text) => {
    const svg = ["svg", "g", "rect", "path", "text"].includes(tag);
    const element = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const short = (text, most) => (text.length <= most ? text : `${text.slice(0, Math.ceil(most * 0.35))}…${text.slice(text.length - Math.floor(most * 0.6))}`);

  /* The tree of the parts of the model; a part that is one node only is that node. */
  const tree = (nodes) => {
    const root = { name: "", path: "", parts: new Map(), leaves: [], parent: null };
    nodes.forEach((node, index) => {
      let at = root;
      for (const name of node.group) {
        if (!at.parts.has(name)) at.parts.set(name, { name, path: at.path ? `${at.path}.${name}` : name, parts: new Map(), leaves: [], parent: at });
        at = at.parts.get(name);
      }
      at.leaves.push(index);
    });
    const chunked = (part) => {
      for (const inner of part.parts.values()) chunked(inner);
      if (part.leaves.length <= MOST) return;
      const size = Math.max(CHUNK, Math.ceil(Math.sqrt(part.leaves.length)));
      for (let from = 0; from < part.leaves.length; from += size) {
        const leaves = part.leaves.slice(from, from + size);
        const name = `${nodes[leaves[0]].name} … ${nodes[leaves[leaves.length - 1]].name}`;
        part.parts.set(`#${from}`, { name, path: `${part.path}#${from}`, parts: new Map(), leaves, parent: part });
      }
      part.leaves = [];
    };
    chunked(root);
    const filled = (part) => { part.all = [...part.leaves, ...[...part.parts.values()].flatMap(filled)]; return part.all; };
    filled(root);
    return root;
  };

  class Drawing {
    constructor(block, graph) {
      Object.assign(this, { block, graph, key: 0, chosen: null, words: [] });
      this.root = tree(graph.nodes);
      this.open = new Set([this.root]);
      this.unfold();
      const bad = { native: 0, decomposed: 0, unknown: 0.01, fallback: 3, unsupported: 4 };
      const worst = (k) => graph.nodes.reduce((sum, n) => sum + bad[n.states[k]], 0);
      this.key = graph.keys.map((_, k) => k).sort((a, b) => worst(b) - worst(a))[0] ?? 0;
      this.strips(); this.frame(); this.layout(); this.go(this.firstBad());
    }

    /* Opens parts, the largest first, as long as not too many items are seen. */
    unfold() {
      for (;;) {
        const items = this.items();
        const parts = items.filter((i) => i.part && i.part.all.length > 1).sort((a, b) => b.part.all.length - a.part.all.length);
        const next = parts.find((i) => items.length - 1 + i.part.leaves.length + i.part.parts.size <= MOST);
        if (!next) return;
        this.open.add(next.part);
      }
    }

    items() {
      const found = [];
      const walk = (part) => {
        for (const index of part.leaves) found.push({ index, all: [index], order: index });
        for (const inner of part.parts.values()) {
          if (inner.all.length === 1) found.push({ index: inner.all[0], all: inner.all, order: inner.all[0] });
          else if (this.open.has(inner)) walk(inner);
          else found.push({ part: inner, all: inner.all, order: Math.min(...inner.all.slice(0, 5000)) });
        }
      };
      walk(this.root);
      return found.sort((a, b) => a.order - b.order);
    }

    layout() {
      const items = (this.shown = this.items());
      const owner = new Int32Array(this.graph.nodes.length).fill(-1);
      items.forEach((item, i) => { for (const n of item.all) owner[n] = i; item.rank = 0; item.before = []; });
      const wires = new Map();
      for (const [a, b] of this.graph.edges) {
        const from = owner[a], to = owner[b];
        if (from < 0 || to < 0 || from === to) continue;
        const id = from * items.length + to;
        const wire = wires.get(id) || { from, to, pairs: [] };
        wire.pairs.push([a, b]); wires.set(id, wire);
      }
      this.wires = [...wires.values()];
      for (const w of this.wires) if (w.from < w.to) items[w.to].before.push(w.from);
      for (const item of items) item.rank = item.before.reduce((most, i) => Math.max(most, items[i].rank + 1), 0);
      const rows = [];
      for (const item of items) (rows[item.rank] ||= []).push(item);
      const step = WIDE + GAP_X;
      for (const row of rows) {
        for (const item of row) item.want = item.before.length ? item.before.reduce((s, i) => s + items[i].x, 0) / item.before.length : 0;
        row.sort((a, b) => a.want - b.want || a.order - b.order);
        row.forEach((item, i) => { item.x = i ? Math.max(item.want, row[i - 1].x + step) : item.want; });
        const shift = row.reduce((s, item) => s + item.want - item.x, 0) / row.length;
        for (const item of row) item.x += shift;
      }
      const left = Math.min(0, ...items.slice(0, 20000).map((i) => i.x)), right = Math.max(0, ...items.slice(0, 20000).map((i) => i.x));
      this.size = { w: right - left + WIDE + 2 * MARGIN, h: rows.length * (HIGH + GAP_Y) + 2 * MARGIN };
      for (const item of items) { item.x += MARGIN - left; item.y = MARGIN + item.rank * (HIGH + GAP_Y); }
      this.svg.setAttribute("width", Math.max(this.size.w, this.view.clientWidth - 2));
      this.svg.setAttribute("height", this.size.h);
      this.offset = Math.max(0, (this.view.clientWidth - 2 - this.size.w) / 2);
      this.paint();
    }

    /* Draws only what can be seen. */
    paint() {
      const top = this.view.scrollTop - 200, bottom = this.view.scrollTop + this.view.clientHeight + 200;
      const seen = (y0, y1) => y1 >= top && y0 <= bottom;
      const wires = make("g"), boxes = make("g");
      const state = (n) => this.graph.nodes[n].states[this.key];
      const place = (n) => ({ native: 0, decomposed: 0, fallback: 1, unsupported: 2, unknown: 3 })[state(n)];
      for (const { from, to, pairs } of this.wires) {
        const a = this.shown[from], b = this.shown[to];
        if (!seen(Math.min(a.y, b.y), Math.max(a.y, b.y) + HIGH)) continue;
        const x0 = a.x + WIDE / 2, y0 = a.y + HIGH, x1 = b.x + WIDE / 2, y1 = b.y, bend = Math.max(14, Math.abs(y1 - y0) / 2.2);
        const cross = pairs.some(([p, q]) => place(p) !== place(q));
        wires.append(make("path", { class: cross ? "wire cross" : "wire", d: `M${x0} ${y0}C${x0} ${y0 + bend} ${x1} ${y1 - bend} ${x1} ${y1}` }));
      }
      for (const item of this.shown) if (seen(item.y, item.y + HIGH)) boxes.append(this.box(item));
      const all = make("g", { transform: `translate(${this.offset} 0)` });
      all.append(wires, boxes);
      this.svg.replaceChildren(all);
    }

    box(item) {
      const nodes = item.all.map((n) => this.graph.nodes[n]);
      const counts = STATES.map((s) => nodes.reduce((sum, n) => sum + (n.states[this.key] === s), 0));
      const worst = STATES[Math.max(...counts.map((c, i) => (c ? i : 0)))];
      const match = !this.words.length || nodes.some((n) => { const t = `${n.name} ${n.label} ${n.note} ${n.states[this.key]}`.toLowerCase(); return this.words.every((w) => t.includes(w)); });
      const g = make("g", { class: `item ${worst}${match ? "" : " dim"}${item === this.chosen ? " chosen" : ""}`, transform: `translate(${item.x} ${item.y})` });
      g.append(make("rect", { class: "box", width: WIDE, height: HIGH, rx: 9 }));
      if (item.part) {
        let x = 10;
        counts.forEach((count, i) => {
          if (!count) return;
          const part = make("g", { class: STATES[i] }), wide = Math.max(3, ((WIDE - 20) * count) / nodes.length);
          part.append(make("rect", { class: "edge", x, y: HIGH - 7, width: wide, height: 3, rx: 1.5 }));
          g.append(part); x += wide;
        });
        g.append(make("text", { x: 12, y: 16 }, short(item.part.name, 22)), make("text", { x: 12, y: 29, class: "sub" }, `${nodes.length} nodes`));
      } else {
        g.append(make("rect", { class: "edge", width: 5, height: HIGH - 14, x: 6, y: 7, rx: 2.5 }));
        g.append(make("text", { x: 19, y: 17 }, short(nodes[0].label, 25)), make("text", { x: 19, y: 31, class: "sub" }, short(nodes[0].name, 25)));
      }
      g.addEventListener("click", () => (item.part ? this.toggle(item.part) : this.select(item)));
      g.addEventListener("mouseenter", () => this.tell(item));
      return g;
    }

    toggle(part) {
      if (this.open.has(part)) this.open.delete(part); else this.open.add(part);
      const keep = part.all[0];
      this.layout();
      this.go(keep);
    }

    go(index) {
      const item = this.shown.find((i) => i.all.includes(index));
      if (!item) return;
      this.view.scrollTop = item.y - this.view.clientHeight / 3;
      this.view.scrollLeft = item.x - this.view.clientWidth / 2 + WIDE / 2;
      this.select(item);
    }

    firstBad() {
      const at = this.graph.nodes.findIndex((n) => !["native", "decomposed"].includes(n.states[this.key]));
      return Math.max(at, 0);
    }

    select(item) { this.chosen = item; this.paint(); this.tell(item); }

    tell(item) {
      if (!item) return;
      const panel = [], node = this.graph.nodes[item.all[0]];
      if (item.part) panel.push(make("h3", {}, item.part.name), make("p", {}, `${item.all.length} nodes; click to open`));
      else {
        const lines = node.note.split("\n");
        const where = lines[0] && !this.graph.keys.some((k) => lines[0].startsWith(`${k}: `)) ? lines.shift() : "";
        panel.push(make("h3", {}, node.label), make("code", {}, node.name));
        if (node.group.length) panel.push(make("p", {}, `in ${node.group.join(".")}`));
        if (where) { const p = make("p"); p.append(make("code", {}, where)); panel.push(p); }
        if (node.weight) panel.push(make("p", {}, `${(100 * node.weight).toFixed(node.weight < 0.001 ? 3 : 1)} % of the arithmetic`));
        const list = make("ul");
        this.graph.keys.forEach((key, k) => {
          const line = make("li", { class: node.states[k] });
          line.append(make("b", {}, `${key}: ${WORDS[node.states[k]] || node.states[k]}`));
          const said = lines.find((l) => l.startsWith(`${key}: `));
          if (said) line.append(make("small", {}, said.slice(key.length + 2)));
          list.append(line);
        });
        panel.push(list);
      }
      for (let part = item.part ? item.part.parent : this.partOf(item.index); part && part !== this.root; part = part.parent) {
        const button = make("button", { type: "button" }, `fold ${short(part.name, 22)}`), own = part;
        button.addEventListener("click", () => this.toggle(own));
        panel.push(button);
      }
      this.aside.replaceChildren(...panel);
    }

    partOf(index) {
      let at = this.root;
      for (;;) {
        const next = [...at.parts.values()].find((p) => p.all.includes(index));
        if (!next || next.all.length === 1) return at;
        at = next;
      }
    }

    strips() {
      const box = make("div", { class: "strips" });
      this.buttons = this.graph.keys.map((key, k) => {
        const button = make("button", { type: "button", "aria-pressed": "false" }, key), canvas = make("canvas", { role: "img", "aria-label": `nodes in order on ${key}` });
        const good = this.graph.nodes.filter((n) => ["native", "decomposed"].includes(n.states[k]));
        const share = good.reduce((s, n) => s + n.weight, 0) / (this.graph.nodes.reduce((s, n) => s + n.weight, 0) || 1);
        button.addEventListener("click", () => this.choose(k));
        canvas.addEventListener("click", (event) => {
          this.choose(k);
          const at = canvas.getBoundingClientRect();
          this.go(Math.min(this.graph.nodes.length - 1, Math.floor(((event.clientX - at.left) / at.width) * this.graph.nodes.length)));
        });
        box.append(button, canvas, make("span", {}, `${(100 * share).toFixed(1)} % of the work`));
        return { button, canvas };
      });
      this.block.append(box);
      const draw = () => this.buttons.forEach(({ canvas }, k) => this.strip(canvas, k));
      new ResizeObserver(draw).observe(box);
      new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    }

    strip(canvas, k) {
      const ratio = window.devicePixelRatio || 1, style = getComputedStyle(this.block), count = this.graph.nodes.length;
      canvas.width = Math.max(1, canvas.clientWidth * ratio); canvas.height = Math.max(1, canvas.clientHeight * ratio);
      const pen = canvas.getContext("2d"), wide = canvas.width / count, gap = wide > 5 ? ratio : 0;
      this.graph.nodes.forEach((node, i) => {
        pen.fillStyle = style.getPropertyValue(`--${node.states[k]}`) || "#888";
        pen.fillRect(i * wide, 0, Math.max(wide - gap, 0.6), canvas.height);
      });
    }

    choose(k) {
      this.key = k;
      this.legend(); this.paint(); if (this.chosen) this.tell(this.chosen);
    }

    legend() {
      this.buttons.forEach(({ button }, k) => button.setAttribute("aria-pressed", String(k === this.key)));
      this.keys.querySelectorAll("[data-state]").forEach((span) => {
        span.lastChild.textContent = ` ${this.graph.nodes.filter((n) => n.states[this.key] === span.dataset.state).length}`;
      });
    }

    frame() {
      this.keys = make("div", { class: "keys" });
      for (const state of STATES) {
        const span = make("span", { class: state, "data-state": state });
        span.append(make("i"), WORDS[state], make("b"));
        this.keys.append(span);
      }
      const find = make("input", { type: "search", placeholder: "Find a node", "aria-label": "Find a node" });
      find.addEventListener("input", () => { this.words = find.value.toLowerCase().split(/\s+/).filter(Boolean); this.paint(); });
      this.keys.append(make("span", { class: "space" }), find);
      const canvas = make("div", { class: "canvas" });
      this.view = make("div", { class: "view", tabindex: "0" }); this.svg = make("svg"); this.aside = make("aside");
      this.view.append(this.svg); canvas.append(this.view, this.aside);
      this.block.append(this.keys, canvas);
      let due = false;
      this.view.addEventListener("scroll", () => { if (!due) { due = true; requestAnimationFrame(() => { due = false; this.paint(); }); } }, { passive: true });
      this.legend();
    }
  }

  const report = JSON.parse(document.getElementById("report").textContent);
  for (const block of document.querySelectorAll(".graph")) {
    const graph = report.results.find((r) => r.type === "graph" && r.id === block.dataset.id);
    if (graph && graph.nodes.length) new Drawing(block, graph);
  }
})();
