#include "call.hpp"
#include "cpu/cross_entropy.hpp"
#include "cpu/losses.hpp"
#include "families.hpp"
#include "labels.hpp"
#include "options.hpp"

namespace optlab {
namespace {

double smoothing_in(const py::handle& given) {
  return number_option(given, "label_smoothing", 0, 1, false, "number in [0, 1]");
}

/// rows: what "batchmean" divides by, or 0 where it is not offered.
Reduction reduction_in(const py::handle& given, i64 terms, i64 rows) {
  if (py::isinstance<py::str>(given)) {
    const auto name = py::cast<std::string>(given);
    if (name == "mean") return {false, static_cast<double>(terms)};
    if (name == "sum") return {false, 1};
    if (name == "none") return {true, 1};
    if (name == "batchmean" && rows) return {false, static_cast<double>(rows)};
  }
  const std::string text = "reduction: got " + repr_of(given) + ", expected ";
  throw py::value_error(text + (rows ? "'mean', 'batchmean', 'sum' or 'none'" : "'mean', 'sum' or 'none'"));
}

/// (loss, gradient), where the gradient may be left out.
class LossCall : public Call {
 public:
  LossCall(const py::handle& out, const char* gradient_name, bool gradient)
      : Call(out, {"loss", gradient_name}), gradient_(gradient) {
    if (!gradient && !out.is_none() && PyTuple_GET_ITEM(out.ptr(), 1) != Py_None)
      throw py::value_error(std::string(gradient_name) + ": got an array, expected None because of gradient=False");
  }
  template <class R>
  R* gradient(const Shape& shape) {
    return gradient_ ? out<R>(shape) : nullptr;
  }
  py::object result() const { return gradient_ ? Call::result() : py::make_tuple(Call::result(), py::none()); }

 private:
  bool gradient_;
};

/// The arrays and options of a cross entropy; `labels` of two dimensions are distributions.
template <class R>
CrossEntropyOf<R> cross_entropy_of(Call& call, const py::handle& logits, const py::handle& labels,
                                   const py::handle& smoothing, const py::handle& reduction) {
  CrossEntropyOf<R> of{};
  of.logits = call.in<R>(logits, "logits", {-1, -1});
  const auto& array = reinterpret_cast<const py::array&>(logits);
  of.rows = array.shape(0);
  of.classes = array.shape(1);
  if (py::isinstance<py::array>(labels) && reinterpret_cast<const py::array&>(labels).ndim() == 2)
    of.targets = call.in<R>(labels, "labels", {of.rows, of.classes});
  else
    of.labels = reinterpret_cast<const i64*>(call.in<std::int64_t>(labels, "labels", {of.rows}));
  of.label_smoothing = smoothing_in(smoothing);
  of.how = reduction_in(reduction, of.rows, 0);
  return of;
}

py::object cross_entropy(const py::handle& logits, const py::handle& labels, const py::handle& smoothing,
                         const py::handle& reduction, bool gradient, const py::handle& out) {
  return by_dtype(logits, "logits", [&](auto r) -> py::object {
    using R = decltype(r);
    LossCall call(out, "dlogits", gradient);
    const auto of = cross_entropy_of<R>(call, logits, labels, smoothing, reduction);
    R* loss = call.out<R>(of.how.each ? Shape{of.rows} : Shape{});
    R* dlogits = call.gradient<R>({of.rows, of.classes});
    if (of.labels) check_labels("labels", of.labels, of.rows, of.classes);
    call.run(worthwhile(threads_now(), of.rows * of.classes),
             [&](int threads) { softmax_cross_entropy(loss, dlogits, of, threads); });
    return call.result();
  });
}

py::object cross_entropy_tangent(const py::handle& logits_dot, const py::handle& logits, const py::handle& labels,
                                 const py::handle& smoothing, const py::handle& reduction, const py::handle& out) {
  return by_dtype(logits, "logits", [&](auto r) {
    using R = decltype(r);
    Call call(out, {"loss_dot", "dlogits_dot"});
    const auto of = cross_entropy_of<R>(call, logits, labels, smoothing, reduction);
    const R* direction = call.in<R>(logits_dot, "logits_dot", {of.rows, of.classes});
    R* loss_dot = call.out<R>(of.how.each ? Shape{of.rows} : Shape{});
    R* dlogits_dot = call.out<R>({of.rows, of.classes});
    if (of.labels) check_labels("labels", of.labels, of.rows, of.classes);
    call.run(worthwhile(threads_now(), of.rows * of.classes),
             [&](int threads) { softmax_cross_entropy_tangent(loss_dot, dlogits_dot, direction, of, threads); });
    return call.result();
  });
}

/// What the option of each rule may be; rules without one are given 0.
double option_of(LossKind kind, const py::handle& given) {
  if (kind == LossKind::huber) return number_option(given, "delta", 0, HUGE_VAL, true, "finite number > 0");
  return kind == LossKind::binary_cross_entropy ? smoothing_in(given) : 0;
}

template <class R>
LossOf<R> loss_of(LossKind kind, Call& call, const py::handle& prediction, const py::handle& target,
                  const py::handle& option, const py::handle& reduction, Shape& shape) {
  gate<R>(prediction, "prediction", Access::read);
  const auto& array = reinterpret_cast<const py::array&>(prediction);
  shape = shape_of(array);
  const i64 rows = kind == LossKind::kl_divergence && !shape.empty() ? shape[0] : 0;
  return {call.in<R>(prediction, "prediction", shape), call.in<R>(target, "target", shape), array.size(),
          option_of(kind, option), reduction_in(reduction, array.size(), rows)};
}

py::object any_loss(LossKind kind, const py::handle& prediction, const py::handle& target, const py::handle& option,
                    const py::handle& reduction, bool gradient, const py::handle& out) {
  return by_dtype(prediction, "prediction", [&](auto r) -> py::object {
    using R = decltype(r);
    LossCall call(out, "dprediction", gradient);
    Shape shape;
    const auto of = loss_of<R>(kind, call, prediction, target, option, reduction, shape);
    R* value = call.out<R>(of.how.each ? shape : Shape{});
    R* dprediction = call.gradient<R>(shape);
    call.run(worthwhile(threads_now(), of.n), [&](int threads) { loss(kind, value, dprediction, of, threads); });
    return call.result();
  });
}

py::object any_loss_tangent(LossKind kind, const py::handle& prediction_dot, const py::handle& prediction,
                            const py::handle& target, const py::handle& option, const py::handle& reduction,
                            const py::handle& out) {
  return by_dtype(prediction, "prediction", [&](auto r) {
    using R = decltype(r);
    Call call(out, {"loss_dot", "dprediction_dot"});
    Shape shape;
    const auto of = loss_of<R>(kind, call, prediction, target, option, reduction, shape);
    const R* direction = call.in<R>(prediction_dot, "prediction_dot", shape);
    R* loss_dot = call.out<R>(of.how.each ? shape : Shape{});
    R* dprediction_dot = call.out<R>(shape);
    call.run(worthwhile(threads_now(), of.n),
             [&](int threads) { loss_tangent(kind, loss_dot, dprediction_dot, direction, of, threads); });
    return call.result();
  });
}

}  // namespace

void bind_losses(py::module_& m) {
  using H = const py::handle&;
  m.def("softmax_cross_entropy", &cross_entropy);
  m.def("softmax_cross_entropy_tangent", &cross_entropy_tangent);
#define OPTLAB_LOSS(name, Functor)                                                                       \
  m.def(#name, [](H prediction, H target, H option, H reduction, bool gradient, H out) {                 \
    return any_loss(LossKind::name, prediction, target, option, reduction, gradient, out);               \
  });                                                                                                    \
  m.def(#name "_tangent", [](H prediction_dot, H prediction, H target, H option, H reduction, H out) {   \
    return any_loss_tangent(LossKind::name, prediction_dot, prediction, target, option, reduction, out); \
  });
  OPTLAB_LOSSES(OPTLAB_LOSS)
#undef OPTLAB_LOSS
}

}  // namespace optlab
