// WhatIfDesk: answers "what if?" on a live factory: one question at a time, on a thread that gives way to all
// others.
#pragma once

#include <condition_variable>
#include <deque>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/api.h"
#include "api/bodies.h"
#include "live/archive.h"
#include "live/factory.h"
#include "serve/arrival_history.h"
#include "serve/forecaster.h"
#include "serve/fork.h"
#include "twin/what_if.h"

namespace gw::serve {

/// A question that makes sense: names found.
struct WhatIfOrder {
  api::WhatIfBody body;
  std::vector<NodeId> drain;
  std::vector<std::pair<TenantId, std::uint32_t>> weights;
  std::vector<std::pair<TenantId, QuotaTerms>> quotas;  ///< In GPU-equivalents.
  std::vector<live::LiveCap> caps;                      ///< In place of those that are set for their feeds.
  std::vector<std::string> feeds;                       ///< Theirs, by name.
  std::vector<std::string> changes;                     ///< In words.
  std::vector<std::string> notes;                       ///< What the answer should say of them.
};
/// Refused: what is not there.
std::expected<WhatIfOrder, live::Refusal> what_if_order(const live::Book& book, api::WhatIfBody body);

/// The changed world; an Error where the fleet cannot be grown like that.
/// Without its caps, which depend on those that are set.
Result<twin::WorldChanges> world_changes(const Fleet& fleet, const WhatIfOrder& order);
/// Adds the caps: those that hold at `now` as events, the others as facts to come.
void add_caps(const live::Book& book, Instant now, bool clocks, const WhatIfOrder& order,
              twin::WorldChanges& changes);

class WhatIfDesk {
 public:
  WhatIfDesk(live::Factory& factory, const Forecaster& forecaster, std::unique_ptr<live::Archive> archive);
  ~WhatIfDesk();
  WhatIfDesk(const WhatIfDesk&) = delete;
  WhatIfDesk& operator=(const WhatIfDesk&) = delete;

  /// Answers `call` at some time: refuses at once what makes no sense (422) and what is too much (503). A
  /// question whose client goes is given up. May come from any thread.
  void ask(api::WhatIfBody body, api::Call call);
  /// Gives up what is in work and what waits, and takes no more.
  void end();

 private:
  struct Open {
    WhatIfOrder order;
    std::shared_ptr<http::Stream> stream;
  };
  void run();
  std::expected<api::Json, live::Refusal> answer(const Open& open);

  live::Factory& factory_;
  const Forecaster& forecaster_;
  std::unique_ptr<live::Archive> archive_;
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::deque<Open> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gw::serve
