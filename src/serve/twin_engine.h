// TwinEngine: a simulated factory behind the interface of a real one: attempts run in simulated time, nodes
// fail and come back.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "live/engine.h"
#include "model/faults.h"
#include "model/fleet.h"
#include "serve/simulated_run.h"
#include "twin/faults.h"

namespace gw::serve {

struct TwinEngineOptions {
  std::uint64_t seed = 1;
  FaultSpec faults;  ///< Its restart_time is not used: each attempt of a job runs from the beginning.
  Instant begin;     ///< Nodes fail from then on. The same after a restart, for the same failures.
};

/// What an attempt does follows from the seed, its id and its Launch (see simulate_run), and when nodes fail
/// from the seed and `begin`: after a restart, `recover` goes on as if nothing had been. Reports come in
/// order of time, equal times in the order of attempts; those of one call before its nodes.
class TwinEngine final : public live::Engine {
 public:
  /// `now` tells the simulated time, which never goes back. Of `fleet` the nodes' names are kept.
  TwinEngine(const Fleet& fleet, std::function<Instant()> now, const TwinEngineOptions& options = {});

  void start(live::Launch launch) override;
  /// It ends within a second, or its grace where that is shorter.
  void stop(const live::Stop& stop) override;
  void recover(std::vector<live::Launch> expected) override;
  void forget(live::AttemptId id) override;
  /// What is left of the attempt goes as fast as `limit` says, and so does what is left of its time limit.
  void limit_clocks(const live::ClockLimit& limit) override;
  /// Of a node that has changed more than once since the last call only the last state is told. The first
  /// call tells of every node that has failed since `begin`.
  void take(std::vector<live::Report>& reports, std::vector<live::NodeReport>& nodes) override;
  [[nodiscard]] std::optional<Instant> next_due() const override;

  /// Attempts that are not forgotten.
  [[nodiscard]] std::size_t attempts() const { return attempts_.size(); }

 private:
  enum class Phase : std::uint8_t {
    kDecided,  ///< Not yet entered at its nodes; left out where nodes never fail.
    kStarting,
    kRunning,
    kEnded,  ///< And reported.
  };
  struct Attempt {
    std::uint64_t identity = 0;
    Phase phase = Phase::kDecided;
    live::AttemptEnd end = live::AttemptEnd::kExited;
    int exit_code = 0;
    Nanoseconds stop_time;  ///< From being asked to stop to the end.
    Instant decided;
    Instant started;
    Instant ends_at;
    std::uint32_t speed_permille = 1000;
    bool stopping = false;             ///< It was asked to stop.
    bool forgotten = false;            ///< Once its end has been told.
    std::vector<std::uint32_t> nodes;  ///< Indices into the fleet; empty where nodes never fail.
    std::string note;
    [[nodiscard]] Instant due() const {
      return phase == Phase::kDecided ? decided : phase == Phase::kStarting ? started : ends_at;
    }
  };
  struct Due {
    Instant when;
    live::AttemptId id;
    auto operator<=>(const Due&) const = default;
  };
  struct HashId {
    std::size_t operator()(const live::AttemptId& id) const;
  };
  struct Node {
    std::string name;
    Instant down_since = Instant::max();    ///< Where it is down.
    std::vector<live::AttemptId> attempts;  ///< That are entered and have not ended.
    [[nodiscard]] bool is_down() const { return down_since != Instant::max(); }
  };

  void push(live::AttemptId id, const Attempt& attempt);
  void pop();
  [[nodiscard]] bool is_stale(const Due& due) const;
  void drop_stale();
  /// What happens next to the first attempt of the heap.
  void step(std::vector<live::Report>& reports);
  void enter(live::AttemptId id, Attempt& attempt);
  void leave(live::AttemptId id, const Attempt& attempt);
  /// Whether what is known under a launch's number is another job's.
  [[nodiscard]] bool is_anothers(const live::Launch& launch) const;
  /// It ends when it has been asked to.
  void end_soon(live::AttemptId id, live::AttemptEnd end, std::string note);
  /// It ends at `when` in another way than it would have.
  void drop(live::AttemptId id);
  void cut_short(live::AttemptId id, Attempt& attempt, Instant when, live::AttemptEnd end, std::string note);
  [[nodiscard]] Instant next_change() const;
  /// The next failure or repair; gives its node, or none.
  NodeId change_node();

  std::function<Instant()> now_;
  std::uint64_t seed_;
  Nanoseconds since_begin_;  ///< From zero to when nodes begin to fail.
  twin::FaultProcess faults_;
  std::unordered_map<live::AttemptId, Attempt, HashId> attempts_;
  std::vector<Due> due_;     ///< A heap, earliest first. Its first entry is never stale.
  std::vector<Node> nodes_;  ///< By their number in the fleet; empty where nodes never fail.
  std::unordered_map<std::string_view, std::uint32_t> node_of_name_;
};

}  // namespace gw::serve
