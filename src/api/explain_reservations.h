// Why a job waits, where reservations of nodes are the reason: its own, or those of others.
#pragma once

#include <optional>
#include <string>

#include "api/json.h"
#include "live/book.h"

namespace gw::api {

/// May those who act at `asking` hear of a reservation: of their own and those below, of those that they may
/// use, and of maintenance, which concerns all?
[[nodiscard]] bool may_see(const live::Book& book, const WindowTerms& terms, TenantId asking);

struct ReservationsFound {
  std::string text;  ///< A sentence that says why it waits.
  Json fact;
};

/// Of a job that names the reservation in which it is to run: what keeps it from running there.
[[nodiscard]] std::optional<ReservationsFound> own_reservation(const live::Book& book, const sched::Job& job);

/// The reservations that keep the job off nodes that could hold it; none if there are none. Names and times
/// are for those who may see them.
[[nodiscard]] std::optional<ReservationsFound> reservations_in_the_way(const live::Book& book,
                                                                       const sched::Job& job,
                                                                       TenantId asking);

}  // namespace gw::api
