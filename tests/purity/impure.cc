// Refers to everything that the deciding layers must not refer to: the control that shows check.sh finds it.
#include <sys/random.h>
#include <sys/socket.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <random>

double gw_impure(double x) {
  std::random_device device;
  unsigned char byte = 0;
  if (getrandom(&byte, 1, 0) != 1) return 0;
  std::timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const auto tick = std::chrono::steady_clock::now().time_since_epoch().count();
  std::ifstream file("/dev/null");
  std::FILE* other = std::fopen("/dev/null", "r");
  const bool opened = other != nullptr && file.good() && std::fclose(other) == 0;
  return std::exp(x) + device() + byte + static_cast<double>(now.tv_nsec + tick) + (opened ? 1 : 0) +
         socket(AF_INET, SOCK_STREAM, 0) + (std::getenv("HOME") != nullptr ? 1 : 0) + std::rand();
}
