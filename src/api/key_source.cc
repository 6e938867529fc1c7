// One thread, one reading at a time.
#include "api/key_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "http/client.h"
#include "http/url.h"

namespace gw::api {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

/// The beginning of the file, one byte more than may be there.
Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMostBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad()) return fail(fmt::format("{}: cannot be read", path));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

/// Whether what goes to that host stays on this machine.
bool is_here(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

/// Where the target begins: behind the host. The client takes a server and a target, for a URL of keys may
/// have a query. npos: it is no URL.
std::size_t target_of(std::string_view url) {
  const std::size_t host = url.find("://");
  return host == std::string_view::npos ? host : url.find('/', host + 3);
}

}  // namespace

/// Ends the request that waits, from another thread.
class KeySource::Interruption {
 public:
  /// False if it is over already.
  bool begin(http::Client& client) {
    const std::lock_guard lock(mutex_);
    client_ = &client;
    return !over_;
  }
  void end() {
    const std::lock_guard lock(mutex_);
    client_ = nullptr;
  }
  void raise() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    if (client_ != nullptr) client_->interrupt();
  }

 private:
  std::mutex mutex_;
  http::Client* client_ = nullptr;
  bool over_ = false;
};

KeySource::KeySource(KeySourceOptions options)
    : options_(std::move(options)), interruption_(std::make_unique<Interruption>()) {}

Result<void> KeySource::check_url(std::string_view url) {
  const std::size_t target = target_of(url);
  const auto plain = [](char c) { return c > ' ' && c < 0x7f; };
  if (target == std::string_view::npos || !std::ranges::all_of(url, plain))
    return fail(fmt::format("'{}' is no URL of keys; write https://host/path", url));
  const Result<http::ServerUrl> server = http::parse_server_url(url.substr(0, target));
  if (!server) return std::unexpected(server.error());
  if (server->secure || is_here(server->host)) return {};
  return fail(fmt::format(
      "keys from '{}' could be anybody's: use https; plain http is for servers of this machine", url));
}

Result<std::unique_ptr<KeySource>> KeySource::start(KeySourceOptions options) {
  std::unique_ptr<KeySource> source(new KeySource(std::move(options)));
  if (const std::string& url = source->options_.url; !url.empty()) {
    if (Result<void> checked = check_url(url); !checked) return std::unexpected(checked.error());
    const std::size_t target = target_of(url);
    source->server_ = url.substr(0, target);
    source->target_ = url.substr(target);
  } else {
    source->began_ = Clock::now();
    Result<KeySet> keys = source->read();
    if (!keys) return std::unexpected(keys.error());
    source->keys_ = std::make_shared<const KeySet>(std::move(*keys));
  }
  source->thread_ = std::thread([raw = source.get()] { raw->run(); });
  return source;
}

KeySource::~KeySource() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wakeup_.notify_all();
  interruption_->raise();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const KeySet> KeySource::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

bool KeySource::want_newer() {
  const std::lock_guard lock(mutex_);
  const bool at_once = reading_ || began_ == Clock::time_point() || Clock::now() - began_ >= options_.between;
  wanted_ = true;
  wakeup_.notify_all();
  return at_once;
}

Result<KeySet> KeySource::read() {
  std::string text;
  if (options_.url.empty()) {
    Result<std::string> file = read_file(options_.file);
    if (!file) return std::unexpected(file.error());
    text = std::move(*file);
  } else {
    http::ClientOptions client;
    client.url = server_;
    client.ca_file = options_.ca_file;
    client.connect_seconds = 5;
    client.answer_seconds = 10;
    client.answer_bytes = kMostBytes;
    Result<std::unique_ptr<http::Client>> made = http::Client::make(client);
    if (!made) return std::unexpected(made.error());
    if (!interruption_->begin(**made)) return fail("interrupted");
    Result<http::Answer> answer = (*made)->send("GET", target_, {}, {{"Accept", "application/json"}});
    interruption_->end();
    if (!answer) return std::unexpected(answer.error());
    if (answer->status != 200)
      return fail(fmt::format("{} answered {}; check keys_url", options_.url, answer->status));
    text = std::move(answer->body);
  }
  Result<KeySet> keys = KeySet::parse(text);
  if (keys) return keys;
  return fail(
      fmt::format("{}: {}", options_.url.empty() ? options_.file : options_.url, keys.error().message));
}

void KeySource::take(Result<KeySet> read) {
  std::string news;
  {
    const std::lock_guard lock(mutex_);
    reading_ = false;
    if (read) {
      if (failing_) news = fmt::format("the issuer's keys can be read again: {} keys", read->size());
      keys_ = std::make_shared<const KeySet>(std::move(*read));
    } else if (!stopping_) {
      news = fmt::format("cannot read the issuer's keys{}: {}",
                         keys_ == nullptr ? "" : "; those read before stay in use", read.error().message);
    }
    failing_ = !read;
  }
  if (!news.empty() && options_.log) options_.log(news);
}

void KeySource::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      while (!stopping_) {
        if (began_ == Clock::time_point()) break;  // Never read.
        const bool soon = wanted_ || keys_ == nullptr || failing_;
        const Clock::time_point due = began_ + (soon ? options_.between : options_.oldest);
        if (Clock::now() >= due) break;
        wakeup_.wait_until(lock, due);
      }
      if (stopping_) return;
      wanted_ = false;
      reading_ = true;
      began_ = Clock::now();
    }
    take(read());
  }
}

}  // namespace gw::api
