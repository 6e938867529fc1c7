// The calls of LocalEngine, which hand over to its thread.
#include "live/local_engine.h"

#include <unistd.h>

#include <system_error>
#include <utility>

#include "base/check.h"
#include "live/local_engine_worker.h"

namespace gw::live {

namespace fs = std::filesystem;

fs::path find_supervisor() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const fs::path folder = program.parent_path();
  for (const fs::path& path :
       {folder / "gw-supervise", folder.parent_path() / "libexec" / "gigawerk" / "gw-supervise",
        folder.parent_path() / "gw-supervise"}) {
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

LocalEngine::LocalEngine(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
LocalEngine::~LocalEngine() = default;

Result<std::unique_ptr<LocalEngine>> LocalEngine::open(LocalEngineOptions options) {
  GW_CHECK(options.to_instant != nullptr);
  if (options.supervisor.empty()) options.supervisor = find_supervisor();
  if (options.supervisor.empty() || ::access(options.supervisor.c_str(), X_OK) != 0)
    return fail(
        "gw-supervise, which runs the jobs, is not beside this program nor in ../libexec/gigawerk; "
        "install it there, or name it");
  std::error_code error;
  options.supervisor = fs::absolute(options.supervisor, error);
  options.folder = fs::absolute(options.folder, error).lexically_normal();
  auto worker = std::make_unique<Worker>(std::move(options));
  if (Result<void> opened = worker->open(); !opened) return std::unexpected(std::move(opened.error()));
  return std::unique_ptr<LocalEngine>(new LocalEngine(std::move(worker)));
}

void LocalEngine::start(Launch launch) {
  GW_CHECK(launch.spec != nullptr && !launch.nodes.empty());
  worker_->order(Worker::StartOrder{std::move(launch)});
}

void LocalEngine::stop(const Stop& stop) { worker_->order(Worker::StopOrder{stop.id, stop.most_grace}); }

void LocalEngine::recover(std::vector<Launch> expected) {
  worker_->order(Worker::RecoverOrder{std::move(expected)});
}

void LocalEngine::forget(AttemptId id) { worker_->order(Worker::ForgetOrder{id}); }

void LocalEngine::limit_clocks(const ClockLimit& limit) {
  worker_->order(Worker::LimitOrder{limit.id, limit.limit});
}

void LocalEngine::take(std::vector<Report>& reports, std::vector<NodeReport>& /*nodes*/) {
  worker_->take(reports);
}

const std::string& LocalEngine::missing_limits() const { return worker_->missing_limits(); }

}  // namespace gw::live
