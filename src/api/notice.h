// Notice: what watchers are told that is of no job: a budget that has reached a threshold, a cap of a feed
// that has changed, that is not met, or that is met after all.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "api/json.h"
#include "base/ids.h"
#include "live/book.h"
#include "live/store.h"

namespace gw::api {

struct Notice {
  std::string_view event;  ///< As the event is called: `budget`, `cap`.
  TenantId tenant;         ///< Whose matter it is: told to those who see all that this tenant sees.
  Json json;
};

/// Of what a turn has kept, in its order; of a feed one. A thing that is gone from the book by now is left
/// out.
[[nodiscard]] std::vector<Notice> notices_of(const live::Changes& changes, const live::Book& book);

/// How many a turn has kept; those that `notices_of` leaves out too.
[[nodiscard]] std::size_t count_notices(const live::Changes& changes);

/// Of each feed that draws more than its cap.
[[nodiscard]] std::vector<Notice> notices_of_unmet(const live::Book& book);

}  // namespace gw::api
