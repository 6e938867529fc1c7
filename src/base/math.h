// Elementary functions that give the same bits on every machine, for decisions and generated workloads.
//
// glibc picks other code paths on other processors; these use only IEEE + - * / and exact scaling. Error
// below 2 units in the last place over the ranges used, which math_test checks against libm.
#pragma once

namespace gw {

double stable_exp2(double x);  ///< 2^x for |x| < 1000.
double stable_exp(double x);   ///< e^x for |x| < 690.
double stable_log(double x);   ///< Natural logarithm; x > 0, finite and normal.
double stable_log2(double x);
double stable_pow(double base, double exponent);  ///< base > 0.
double stable_cos(double x);                      ///< |x| < 1000 (radians).

}  // namespace gw
