// THE list of landscapes. Separable ones are sums of a function of one coordinate with coefficients per coordinate,
// coupled ones see the whole point and fixed coefficients, matrix ones need room beside it, too: X(name, functor).
#pragma once
#include "beale.hpp"
#include "cosine.hpp"
#include "long_valley.hpp"
#include "matrix_sensing.hpp"
#include "octopus.hpp"
#include "orthogonal_tensor.hpp"
#include "quadratic.hpp"
#include "rastrigin.hpp"
#include "recurrent_unit.hpp"
#include "rosenbrock.hpp"
#include "sinusoid.hpp"
#include "strict_saddle.hpp"
#include "teacher_student.hpp"
#include "walled_quadratic.hpp"
#include "weighted_factorization.hpp"

#define OPTLAB_SEPARABLE_LANDSCAPES(X) \
  X(quadratic, Quadratic)              \
  X(strict_saddle, StrictSaddle)       \
  X(cosine, Cosine)                    \
  X(rastrigin, Rastrigin)              \
  X(long_valley, LongValley)           \
  X(walled_quadratic, WalledQuadratic)

#define OPTLAB_COUPLED_LANDSCAPES(X) \
  X(rosenbrock, Rosenbrock)          \
  X(beale, Beale)                    \
  X(sinusoid, Sinusoid)              \
  X(octopus, Octopus)                \
  X(teacher_student, TeacherStudent) \
  X(recurrent_unit, RecurrentUnit)

#define OPTLAB_MATRIX_LANDSCAPES(X)                \
  X(weighted_factorization, WeightedFactorization) \
  X(matrix_sensing, MatrixSensing)                 \
  X(orthogonal_tensor, OrthogonalTensor)
