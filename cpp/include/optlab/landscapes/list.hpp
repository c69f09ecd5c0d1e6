// THE list of landscapes. Separable ones are sums of a function of one coordinate with coefficients per coordinate,
// coupled ones see the whole point and fixed coefficients: X(name, functor).
#pragma once
#include "beale.hpp"
#include "cosine.hpp"
#include "long_valley.hpp"
#include "octopus.hpp"
#include "quadratic.hpp"
#include "rastrigin.hpp"
#include "rosenbrock.hpp"
#include "sinusoid.hpp"
#include "strict_saddle.hpp"
#include "teacher_student.hpp"
#include "walled_quadratic.hpp"

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
  X(teacher_student, TeacherStudent)
