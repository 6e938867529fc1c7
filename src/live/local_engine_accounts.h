// Accounts of this machine that jobs run under.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace gw::live {

struct Account {
  std::string name;
  std::uint32_t user = 0;
  std::uint32_t group = 0;
  std::vector<std::uint32_t> groups;  ///< All of them, `group` too.
  std::string home;
  std::string shell;
};

struct NoAccount {
  std::string message;   ///< For people.
  bool unknown = false;  ///< There is none of that name; else it cannot be looked up now.
};

/// By name, from wherever the machine looks accounts up.
std::expected<Account, NoAccount> find_account(const std::string& name);

/// The one that this process runs under, also where it has no name.
Account own_account();

}  // namespace gw::live
