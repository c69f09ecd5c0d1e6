#include "cpu/draws.hpp"
#include "cpu/environment.hpp"
#include "cpu/noise.hpp"
#include "cpu/orthonormal.hpp"
#include "cpu/threads.hpp"
#include "families.hpp"
#include "gate.hpp"
#include "optlab/dual.hpp"

namespace optlab {
namespace {

template <class R>
void draw_into(const py::array& out, const std::string& kind, double radius, u32 first_run, DrawAddress at) {
  const Rows rows = rows_of(out, "out");
  const Distribution d = kind == "uniform"  ? Distribution::uniform
                         : kind == "normal" ? Distribution::normal
                                            : Distribution::ball;
  const int threads = worthwhile(threads_now(), out.size());
  const FloatEnvironment environment;  // for the rounding of the radius
  const ReleasedGil free;
  draw<R>(pointer<R>(out), rows.runs, rows.dim, d, static_cast<R>(radius), first_run, at, threads);
}

void random(const py::handle& out, const std::string& kind, u64 seed, u32 stream, u64 step, u32 first_run,
            double radius) {
  const DrawAddress at{seed, stream, step};
  if (float_kind(out, "out") == 'f')
    draw_into<float>(gate<float>(out, "out", Access::write), kind, radius, first_run, at);
  else
    draw_into<double>(gate<double>(out, "out", Access::write), kind, radius, first_run, at);
}

void indices(const py::handle& out, u32 high, u64 seed, u32 stream, u64 step, u32 first_run) {
  const py::array& array = gate<std::int64_t>(out, "out", Access::write);
  const Rows rows = rows_of(array, "out");
  auto* to = reinterpret_cast<i64*>(pointer<std::int64_t>(array));
  draw_indices(to, rows.runs, rows.dim, high, first_run, {seed, stream, step});
}

void permutations(const py::handle& out, u64 seed, u32 stream, u64 step, u32 first_run) {
  const py::array& array = gate<std::int64_t>(out, "out", Access::write);
  const Rows rows = rows_of(array, "out");
  auto* to = reinterpret_cast<i64*>(pointer<std::int64_t>(array));
  draw_permutations(to, rows.runs, rows.dim, first_run, {seed, stream, step});
}

template <class T>
T special_of(int which, T x) {
  T a, b;
  if (which == 0) return log<T>(x);
  if (which == 1) return exp<T>(x);
  if (which == 6) return expm1<T>(x);
  if (which == 7) return log1p<T>(x);
  if (which == 8) return tanh<T>(x);
  if (which == 9) return sigmoid<T>(x);
  if (which == 10) return softplus<T>(x);
  if (which == 11) return one_minus_exp<T>(x);
  if (which < 4)
    sincos<T>(x, a, b);
  else if (which < 6)
    sincos_turns<T>(x, a, b);
  else
    acos<T>(x, a, b);
  return which % 2 ? b : a;
}

/// The functions of special.hpp for Python's own formulas and the tests, on packs or one number at a time.
template <class R>
void special(const py::handle& out, const py::handle& x, int which, bool scalar) {
  const FloatEnvironment environment;
  const py::array& from = gate<R>(x, "x", Access::read);
  R* to = gated<R>(out, "out", {from.size()}, Access::write);
  const R* in = pointer<R>(from);
  constexpr int lanes = kLanes<R>;
  for (i64 i = 0; i < from.size(); i += scalar ? 1 : lanes) {
    const i64 left = std::min<i64>(lanes, from.size() - i);
    if (scalar)
      to[i] = special_of<R>(which, in[i]);
    else
      store_part(to + i, special_of<Pack<R>>(which, load_part(in + i, left)), left);
  }
}

/// The derivative that dual numbers carry through a function of special.hpp and logistic.hpp, for the tests.
template <class R>
void special_derivative(const py::handle& out, const py::handle& x, int which) {
  const FloatEnvironment environment;
  const py::array& from = gate<R>(x, "x", Access::read);
  R* to = gated<R>(out, "out", {from.size()}, Access::write);
  for (i64 i = 0; i < from.size(); ++i) {
    const Dual<R> at{pointer<R>(from)[i], R(1)};
    to[i] = (which == 0   ? log(at)
             : which == 1 ? exp(at)
             : which == 7 ? log1p(at)
             : which == 8 ? tanh(at)
             : which == 9 ? sigmoid(at)
                          : softplus(at))
                .d;
  }
}

py::tuple philox_words(std::vector<u32> counter, u64 key) {
  const PhiloxBlock<u64> p = philox<u64>({{counter.at(0), counter.at(1), counter.at(2), counter.at(3)}}, key);
  py::tuple words(4);
  for (std::size_t i = 0; i < 4; ++i) words[i] = static_cast<u32>(p.word[i]);
  return words;
}

}  // namespace

void bind_random(py::module_& m) {
  m.def("random", &random, py::arg("out"), py::arg("kind"), py::arg("seed"), py::arg("stream"), py::arg("step"),
        py::arg("first_run"), py::arg("radius"));
  m.def("random_indices", &indices, py::arg("out"), py::arg("high"), py::arg("seed"), py::arg("stream"),
        py::arg("step"), py::arg("first_run"));
  m.def("random_permutations", &permutations, py::arg("out"), py::arg("seed"), py::arg("stream"), py::arg("step"),
        py::arg("first_run"));
  m.def("orthonormalize_rows", [](const py::handle& rows) {
    const py::array& q = gate<double>(rows, "rows", Access::write);
    const Rows extent = rows_of(q, "rows");
    check_shape(q, "rows", {extent.runs, std::max(extent.runs, extent.dim)});
    const FloatEnvironment environment;
    const int threads = threads_now();
    const ReleasedGil free;
    orthonormalize_rows(pointer<double>(q), extent.runs, extent.dim, threads);
  });
  m.def("philox", [](const py::sequence& c, u64 key) {
    std::vector<u32> counter;
    for (const auto& word : c) counter.push_back(py::cast<u32>(word));
    return philox_words(counter, key);
  });
  m.attr("streams") = py::dict(
      py::arg("NOISE") = static_cast<int>(kNoise), py::arg("PERTURBATION") = static_cast<int>(kPerturbation),
      py::arg("GRADIENT_NOISE") = static_cast<int>(kGradientNoise), py::arg("BATCH") = static_cast<int>(kBatch),
      py::arg("INIT") = static_cast<int>(kInit), py::arg("DATA") = static_cast<int>(kData),
      py::arg("DROPOUT") = static_cast<int>(kDropout), py::arg("NORM_NOISE") = static_cast<int>(kNormNoise));
  m.attr("special_functions") = py::make_tuple("log", "exp", "sin", "cos", "sin_turns", "cos_turns", "expm1", "log1p",
                                               "tanh", "sigmoid", "softplus", "one_minus_exp", "acos", "acos_sine");
  m.def("special_derivative", [](const py::handle& out, const py::handle& x, int which) {
    if (float_kind(x, "x") == 'f')
      special_derivative<float>(out, x, which);
    else
      special_derivative<double>(out, x, which);
  });
  m.def("special", [](const py::handle& out, const py::handle& x, int which, bool scalar) {
    if (float_kind(x, "x") == 'f')
      special<float>(out, x, which, scalar);
    else
      special<double>(out, x, which, scalar);
  });
}

}  // namespace optlab
