// Accounts of this machine that jobs run under.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace gw::live {

struct Account {
  std::string name;
  std::uint32_t user = 0;
  std::uint32_t group = 0;
  std::vector<std::uint32_t> groups;  ///< All of them, `group` too.
  std::string home;
  std::string shell;
};

/// By name, from wherever the machine looks accounts up. An Error for people: there is none of that name.
Result<Account> find_account(const std::string& name);

/// The one that this process runs under, also where it has no name.
Account own_account();

}  // namespace gw::live
