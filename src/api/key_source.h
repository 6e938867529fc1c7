// KeySource: where an issuer's public keys come from, and a thread that keeps them fresh, so that no request
// waits for another server.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "api/public_key.h"
#include "base/result.h"

namespace gw::api {

struct KeySourceOptions {
  std::string file;                  ///< A JWK Set; or
  std::string url;                   ///< where it is fetched from: `https://...`.
  std::string ca_file;               ///< PEM, for the URL; empty: the system's.
  std::chrono::seconds between{30};  ///< Two readings never begin closer together.
  std::chrono::seconds oldest{600};  ///< Keys are read anew after so long, so that what was withdrawn goes.
  /// Told of each reading that failed, and of the first good one after it, on the source's thread.
  std::function<void(std::string_view)> log;
};

/// The keys stay what they are while reading fails.
class KeySource {
 public:
  /// Why keys cannot be fetched from there: it is no URL, or one over which anybody could put keys of their
  /// own under us.
  static Result<void> check_url(std::string_view url);
  /// Reads a file at once (an Error if it cannot be used); a URL, which must pass `check_url`, is first read
  /// on the source's thread.
  static Result<std::unique_ptr<KeySource>> start(KeySourceOptions options);
  ~KeySource();
  KeySource(const KeySource&) = delete;
  KeySource& operator=(const KeySource&) = delete;

  /// Nullptr before the first good reading.
  [[nodiscard]] std::shared_ptr<const KeySet> keys() const;
  /// Somebody asks for a key that is not among `keys`: they are read anew as soon as they may be. True if
  /// that is at once, or is under way: asking again in a moment may help.
  bool want_newer();

 private:
  using Clock = std::chrono::steady_clock;
  class Interruption;

  explicit KeySource(KeySourceOptions options);
  Result<KeySet> read();
  void run();
  void take(Result<KeySet> read);

  const KeySourceOptions options_;
  std::string server_, target_;  ///< Of the URL.
  std::unique_ptr<Interruption> interruption_;
  mutable std::mutex mutex_;
  std::condition_variable wakeup_;
  std::shared_ptr<const KeySet> keys_;
  Clock::time_point began_;  ///< The latest reading.
  bool reading_ = false;
  bool wanted_ = false;
  bool failing_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gw::api
