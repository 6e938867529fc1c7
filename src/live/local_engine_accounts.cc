// Look-ups in the system's account database.
#include "live/local_engine_accounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "supervise/system.h"

namespace gw::live {
namespace {

/// Calls a getpw..._r function with a buffer that is large enough.
template <class Get>
int look_up(Get get, passwd& entry, std::vector<char>& buffer, passwd*& found) {
  constexpr std::size_t kMostBytes = std::size_t{1} << 20;
  buffer.resize(4096);
  while (true) {
    const int error = get(&entry, buffer.data(), buffer.size(), &found);
    if (error != ERANGE || buffer.size() >= kMostBytes) return error;
    buffer.resize(buffer.size() * 4);
  }
}

Account account_of(const passwd& entry) {
  Account account;
  account.name = entry.pw_name;
  account.user = entry.pw_uid;
  account.group = entry.pw_gid;
  account.home = entry.pw_dir;
  account.shell = entry.pw_shell;
  return account;
}

}  // namespace

std::expected<Account, NoAccount> find_account(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer;
  int error = look_up([&](passwd* to, char* bytes, std::size_t size,
                          passwd** result) { return ::getpwnam_r(name.c_str(), to, bytes, size, result); },
                      entry, buffer, found);
  // A name with a zero byte would be looked up as what stands before it.
  if (found == nullptr || name.find('\0') != std::string::npos) {
    // Where one source of accounts fails and the next does not know the name, it counts as unknown.
    if (const supervise::Descriptor file(::open("/etc/passwd", O_RDONLY | O_CLOEXEC)); error == 0 && !file)
      error = errno;
    if (error != 0 && error != ENOENT && error != ESRCH) {
      return std::unexpected(NoAccount{fmt::format("the account '{}' cannot be looked up: {}", name,
                                                   std::generic_category().message(error)),
                                       false});
    }
    return std::unexpected(NoAccount{
        fmt::format("this machine has no account '{}'; make it (adduser), or map the user to another", name),
        true});
  }
  Account account = account_of(entry);
  std::vector<gid_t> groups(64);
  int count = static_cast<int>(groups.size());
  while (::getgrouplist(entry.pw_name, entry.pw_gid, groups.data(), &count) < 0 && count > 0 &&
         groups.size() < 65'536) {
    groups.resize(std::max(static_cast<std::size_t>(count), 2 * groups.size()));
    count = static_cast<int>(groups.size());
  }
  groups.resize(static_cast<std::size_t>(std::max(count, 0)));
  account.groups.assign(groups.begin(), groups.end());
  return account;
}

Account own_account() {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer;
  const uid_t user = ::geteuid();
  look_up([&](passwd* to, char* bytes, std::size_t size,
              passwd** result) { return ::getpwuid_r(user, to, bytes, size, result); },
          entry, buffer, found);
  if (found != nullptr) return account_of(entry);
  Account account;
  account.name = fmt::format("{}", user);
  account.user = user;
  account.group = ::getegid();
  account.home = '/';
  return account;
}

}  // namespace gw::live
