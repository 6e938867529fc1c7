// Server: threads, the listening socket, and their beginning and end.
#include "http/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <future>
#include <optional>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "http/io_thread.h"
#include "http/listener.h"
#include "http/server_state.h"

namespace gw::http {
namespace {

/// After a failed accept, mostly for want of descriptors: others must close theirs first.
constexpr std::chrono::milliseconds kPause{100};
constexpr std::chrono::seconds kBetweenLogs{10};
constexpr int kAcceptsInRow = 64;

/// Accepts on one thread for all; everything here happens on it.
class Acceptor {
 public:
  Acceptor(ServerState& shared, std::vector<std::unique_ptr<IoThread>>& threads, int listening)
      : shared_(shared),
        threads_(threads),
        socket_(threads.front()->context(), listening),
        timer_(threads.front()->context()) {}

  void wait() {
    socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [this](const boost::system::error_code& error) {
                         if (!error) accept_all();
                       });
  }
  void stop() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
  }

 private:
  void accept_all() {
    for (int turn = 0; turn < kAcceptsInRow; ++turn) {
      Accepted accepted = accept_connection(socket_.native_handle());
      if (accepted.descriptor.valid()) {
        place(std::move(accepted));
        continue;
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      if (errno != ECONNABORTED && errno != EINTR) return pause(errno);
    }
    wait();
  }

  void place(Accepted accepted) {
    const bool admitted = shared_.admit(accepted.peer);
    (admitted ? shared_.counters.connections_total : shared_.counters.connections_refused).fetch_add(1);
    // To be told in TLS would cost a handshake; that is for those who are let in.
    if (!admitted && shared_.tls()) return;
    const auto admission = admitted ? IoThread::Admission::kAdmitted : IoThread::Admission::kRefused;
    IoThread& thread = *threads_[next_++ % threads_.size()];
    if (thread.is_this_thread()) return thread.adopt(std::move(accepted), admission);
    auto shared = std::make_shared<Accepted>(std::move(accepted));  // std::function copies.
    thread.mailbox()->post(
        TaskMessage([&thread, shared, admission] { thread.adopt(std::move(*shared), admission); }));
  }

  void pause(int error) {
    const auto now = IoThread::now();
    if (!last_log_ || now - *last_log_ > kBetweenLogs) {
      last_log_ = now;
      shared_.log(
          fmt::format("cannot accept connections: {}; {} are open; raise the limit of open files (ulimit -n) "
                      "or lower the limit of connections",
                      std::generic_category().message(error), shared_.counters.connections_open.load()));
    }
    timer_.expires_after(kPause);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) accept_all();
    });
  }

  ServerState& shared_;
  std::vector<std::unique_ptr<IoThread>>& threads_;
  asio::posix::stream_descriptor socket_;
  asio::steady_timer timer_;
  std::size_t next_ = 0;
  std::optional<IoThread::Clock::time_point> last_log_;
};

class AsioServer final : public Server {
 public:
  AsioServer(const ServerOptions& options, Handler handler) : shared_(options, std::move(handler)) {}
  ~AsioServer() override {
    for (const std::unique_ptr<IoThread>& thread : threads_) GW_CHECK(!thread->is_this_thread());
    stop_listening();
    // Each thread closes its connections; mailboxes of others may still be written to, and drop it.
    for (std::unique_ptr<IoThread>& thread : threads_) thread->stop();
    acceptor_.reset();
  }

  Result<void> start() {
    const ServerOptions& options = shared_.options;
    if (!options.tls_certificate.empty()) {
      if (Result<void> loaded = reload_tls(); !loaded) return loaded;
    }
    Result<ListenSocket> opened = open_listen_socket(options.address, options.port);
    if (!opened) return std::unexpected(std::move(opened.error()));
    listening_ = std::move(*opened);
    const unsigned count = std::max(1U, options.threads);
    for (unsigned index = 0; index < count; ++index) threads_.push_back(std::make_unique<IoThread>(shared_));
    acceptor_ = std::make_unique<Acceptor>(shared_, threads_, listening_.descriptor.release());
    for (unsigned index = 0; index < count; ++index) threads_[index]->start(index);
    // Once all of them run: what is accepted goes to each of them.
    threads_.front()->mailbox()->post(TaskMessage([this] { acceptor_->wait(); }));
    return {};
  }

  [[nodiscard]] std::uint16_t port() const override { return listening_.port; }

  [[nodiscard]] ServerCounters counters() const override {
    const ServerState::Counters& now = shared_.counters;
    return {now.connections_open, now.connections_total, now.connections_refused,
            now.streams_open,     now.requests_total,    now.requests_refused};
  }

  void drain(unsigned seconds) override {
    shared_.draining = true;
    stop_listening();
    for (const std::unique_ptr<IoThread>& thread : threads_) {
      // This is work too: once a thread has done it, it takes no more.
      shared_.work_begins();
      const bool posted = thread->mailbox()->post(TaskMessage([this, &thread = *thread] {
        thread.drain();
        shared_.work_ends();
      }));
      if (!posted) shared_.work_ends();
    }
    if (!shared_.wait_for_work(seconds))
      shared_.log(fmt::format("requests are still in work after {} seconds of waiting for them", seconds));
  }

  Result<void> reload_tls() override {
    if (shared_.options.tls_certificate.empty())
      return fail("this server has no TLS certificate to read anew");
    Result<TlsContext> loaded =
        TlsContext::for_server(shared_.options.tls_certificate, shared_.options.tls_key);
    if (!loaded) return std::unexpected(std::move(loaded.error()));
    shared_.set_tls(std::move(*loaded));
    return {};
  }

 private:
  /// Returns when no more connections are accepted.
  void stop_listening() {
    if (!acceptor_ || std::exchange(stopped_, true)) return;
    std::promise<void> done;
    const bool posted = threads_.front()->mailbox()->post(TaskMessage([this, &done] {
      acceptor_->stop();
      done.set_value();
    }));
    if (posted) done.get_future().wait();
    remove_socket_file(listening_);
  }

  ServerState shared_;
  ListenSocket listening_;
  std::vector<std::unique_ptr<IoThread>> threads_;
  std::unique_ptr<Acceptor> acceptor_;  ///< Before the threads, whose contexts it uses.
  bool stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, Handler handler) {
  auto server = std::make_unique<AsioServer>(options, std::move(handler));
  if (Result<void> started = server->start(); !started) return std::unexpected(std::move(started.error()));
  return server;
}

}  // namespace gw::http
