// Runs a library of the TVM backend on a device: `tvm_main LIBRARY [INPUT.bin ...]`.
//
// Inputs are raw elements in the order of the model's inputs; sizes known only at run time are taken as 1.
// Each output is written to `output_I.bin`, and its shape is printed. It links against libtvm_ffi and
// libtvm_runtime alone:
//   c++ -std=c++17 tvm_main.cpp -I<tvm_ffi>/include -L<tvm_ffi>/lib -ltvm_ffi -L<tvm>/lib -ltvm_runtime
#include <tvm/ffi/container/array.h>
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/extra/json.h>
#include <tvm/ffi/extra/module.h>
#include <tvm/ffi/function.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace ffi = tvm::ffi;

// Memory as TVM's code expects it: aligned to 64 bytes.
struct Aligned {
  void AllocData(DLTensor* tensor) {
    size_t bytes = ffi::GetDataSize(*tensor);
    tensor->data = std::aligned_alloc(64, (bytes + 64) / 64 * 64);
  }
  void FreeData(DLTensor* tensor) { std::free(tensor->data); }
};

static ffi::Tensor Read(const ffi::json::Object& port, const char* path) {
  std::vector<int64_t> shape;
  for (const auto& size : port[ffi::String("shape")].cast<ffi::json::Array>())
    shape.push_back(size == nullptr ? 1 : size.cast<int64_t>());
  auto dtype = ffi::StringToDLDataType(port[ffi::String("dtype")].cast<ffi::String>());
  auto tensor = ffi::Tensor::FromNDAlloc(Aligned(), ffi::Shape(shape), dtype, DLDevice{kDLCPU, 0});
  std::ifstream file(path, std::ios::binary);
  if (!file.read(static_cast<char*>(tensor.data_ptr()), ffi::GetDataSize(tensor))) {
    std::fprintf(stderr, "%s: fewer bytes than the input takes\n", path);
    std::exit(1);
  }
  return tensor;
}

// Ends with a message where this CPU lacks what the library's code may use, which would end without one.
static void RequireCpu(const ffi::Any& needs) {
  if (needs == nullptr) return;
  auto wanted = needs.cast<ffi::json::Object>();
  std::string name = wanted[ffi::String("line")].cast<ffi::String>(), line;
  std::ifstream cpuinfo("/proc/cpuinfo");
  while (std::getline(cpuinfo, line) && line.compare(0, name.size(), name) != 0) continue;
  if (!cpuinfo) return;  // not Linux, or another architecture under emulation
  for (const auto& feature : wanted[ffi::String("features")].cast<ffi::json::Array>()) {
    std::string word = feature.cast<ffi::String>();
    if ((line + " ").find(" " + word + " ") == std::string::npos) {
      std::fprintf(stderr, "the library needs `%s`, which this CPU lacks\n", word.c_str());
      std::exit(1);
    }
  }
}

int main(int count, char** arguments) {
  if (count < 2) return std::fprintf(stderr, "usage: tvm_main LIBRARY [INPUT.bin ...]\n"), 2;
  auto library = ffi::Module::LoadFromFile(arguments[1]);
  auto machine = library->GetFunction("vm_load_executable").value()().cast<ffi::Module>();
  machine->GetFunction("vm_initialization").value()(static_cast<int>(kDLCPU), 0, 2);
  auto text = machine->GetFunction("edgekit_ports").value()().cast<ffi::Tensor>();
  auto json = ffi::String(static_cast<const char*>(text.data_ptr()), text.shape()[0]);
  auto ports = ffi::json::Parse(json).cast<ffi::json::Object>();
  RequireCpu(ports[ffi::String("needs")]);
  auto inputs = ports[ffi::String("inputs")];
  std::vector<ffi::Any> values;
  for (const auto& port : inputs.cast<ffi::json::Array>()) {
    if (static_cast<int>(values.size()) + 2 >= count) return std::fprintf(stderr, "too few inputs\n"), 2;
    values.push_back(Read(port.cast<ffi::json::Object>(), arguments[values.size() + 2]));
  }
  std::vector<ffi::AnyView> views(values.begin(), values.end());
  ffi::Any result;
  machine->GetFunction("main").value().CallPacked(views.data(), views.size(), &result);
  int number = 0;
  for (const auto& output : result.cast<ffi::Array<ffi::Tensor>>()) {
    std::ofstream file("output_" + std::to_string(number) + ".bin", std::ios::binary);
    file.write(static_cast<const char*>(output.data_ptr()), ffi::GetDataSize(output));
    std::printf("output %d:", number++);
    for (int64_t size : output.shape()) std::printf(" %lld", static_cast<long long>(size));
    std::printf("\n");
  }
  return 0;
}
