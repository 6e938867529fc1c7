// Every call is handed to the unix VFS; xSync and xDelete are counted on the way.
#include "sql/counting_vfs.h"

#include <sqlite3.h>

#include <cstddef>

#include "base/check.h"

namespace gw::sql {
namespace {

thread_local std::uint64_t syncs = 0;

/// What SQLite sees as the file; the unix VFS's own object lies behind it in the same memory.
struct CountingFile {
  sqlite3_file base;
  bool new_log;  ///< A log just created: its first sync is followed by one of the folder.
};
constexpr std::size_t kRealOffset = (sizeof(CountingFile) + 15) / 16 * 16;

sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + kRealOffset);
}
sqlite3_vfs* real(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

/// The method of the unix VFS with the same arguments.
template <auto Method, class... Args>
auto pass(sqlite3_file* file, Args... args) {
  return (real(file)->pMethods->*Method)(real(file), args...);
}
template <auto Method, class... Args>
auto pass_vfs(sqlite3_vfs* vfs, Args... args) {
  return (real(vfs)->*Method)(real(vfs), args...);
}

int sync(sqlite3_file* file, int flags) {
  ++syncs;
  auto* counting = reinterpret_cast<CountingFile*>(file);
  if (counting->new_log) ++syncs;
  counting->new_log = false;
  return pass<&sqlite3_io_methods::xSync>(file, flags);
}

using Methods = sqlite3_io_methods;
const sqlite3_io_methods methods = {
    .iVersion = 3,
    .xClose = [](sqlite3_file* file) { return pass<&Methods::xClose>(file); },
    .xRead = [](sqlite3_file* file, void* into, int bytes,
                sqlite3_int64 at) { return pass<&Methods::xRead>(file, into, bytes, at); },
    .xWrite = [](sqlite3_file* file, const void* from, int bytes,
                 sqlite3_int64 at) { return pass<&Methods::xWrite>(file, from, bytes, at); },
    .xTruncate = [](sqlite3_file* file, sqlite3_int64 size) { return pass<&Methods::xTruncate>(file, size); },
    .xSync = sync,
    .xFileSize = [](sqlite3_file* file,
                    sqlite3_int64* size) { return pass<&Methods::xFileSize>(file, size); },
    .xLock = [](sqlite3_file* file, int level) { return pass<&Methods::xLock>(file, level); },
    .xUnlock = [](sqlite3_file* file, int level) { return pass<&Methods::xUnlock>(file, level); },
    .xCheckReservedLock = [](sqlite3_file* file,
                             int* held) { return pass<&Methods::xCheckReservedLock>(file, held); },
    .xFileControl = [](sqlite3_file* file, int what,
                       void* argument) { return pass<&Methods::xFileControl>(file, what, argument); },
    .xSectorSize = [](sqlite3_file* file) { return pass<&Methods::xSectorSize>(file); },
    .xDeviceCharacteristics = [](sqlite3_file* file) { return pass<&Methods::xDeviceCharacteristics>(file); },
    .xShmMap =
        [](sqlite3_file* file, int region, int bytes, int extend, void volatile** memory) {
          return pass<&Methods::xShmMap>(file, region, bytes, extend, memory);
        },
    .xShmLock = [](sqlite3_file* file, int first, int count,
                   int flags) { return pass<&Methods::xShmLock>(file, first, count, flags); },
    .xShmBarrier = [](sqlite3_file* file) { pass<&Methods::xShmBarrier>(file); },
    .xShmUnmap = [](sqlite3_file* file, int remove) { return pass<&Methods::xShmUnmap>(file, remove); },
    .xFetch = [](sqlite3_file* file, sqlite3_int64 at, int bytes,
                 void** memory) { return pass<&Methods::xFetch>(file, at, bytes, memory); },
    .xUnfetch = [](sqlite3_file* file, sqlite3_int64 at,
                   void* memory) { return pass<&Methods::xUnfetch>(file, at, memory); },
};

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* counting = reinterpret_cast<CountingFile*>(file);
  constexpr int kLogs = SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
  const int code = pass_vfs<&sqlite3_vfs::xOpen>(vfs, name, real(file), flags, out_flags);
  const bool opened = real(file)->pMethods != nullptr;
  GW_CHECK(!opened || real(file)->pMethods->iVersion >= 3);
  file->pMethods = opened ? &methods : nullptr;
  counting->new_log = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & kLogs) != 0;
  return code;
}

int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  if (sync_folder != 0) ++syncs;
  return pass_vfs<&sqlite3_vfs::xDelete>(vfs, name, sync_folder);
}

using Vfs = sqlite3_vfs;
sqlite3_vfs make_vfs(sqlite3_vfs* unix_vfs) {
  sqlite3_vfs vfs{};
  vfs.iVersion = 2;  // 3 adds only the replacing of system calls, for tests of SQLite itself.
  vfs.szOsFile = static_cast<int>(kRealOffset) + unix_vfs->szOsFile;
  vfs.mxPathname = unix_vfs->mxPathname;
  vfs.zName = "gigawerk-counting";
  vfs.pAppData = unix_vfs;
  vfs.xOpen = open;
  vfs.xDelete = remove;
  vfs.xAccess = [](sqlite3_vfs* self, const char* name, int flags, int* result) {
    return pass_vfs<&Vfs::xAccess>(self, name, flags, result);
  };
  vfs.xFullPathname = [](sqlite3_vfs* self, const char* name, int bytes, char* full) {
    return pass_vfs<&Vfs::xFullPathname>(self, name, bytes, full);
  };
  vfs.xDlOpen = [](sqlite3_vfs* self, const char* name) { return pass_vfs<&Vfs::xDlOpen>(self, name); };
  vfs.xDlError = [](sqlite3_vfs* self, int bytes, char* text) {
    pass_vfs<&Vfs::xDlError>(self, bytes, text);
  };
  vfs.xDlSym = [](sqlite3_vfs* self, void* library, const char* symbol) {
    return pass_vfs<&Vfs::xDlSym>(self, library, symbol);
  };
  vfs.xDlClose = [](sqlite3_vfs* self, void* library) { pass_vfs<&Vfs::xDlClose>(self, library); };
  vfs.xRandomness = [](sqlite3_vfs* self, int bytes, char* into) {
    return pass_vfs<&Vfs::xRandomness>(self, bytes, into);
  };
  vfs.xSleep = [](sqlite3_vfs* self, int microseconds) { return pass_vfs<&Vfs::xSleep>(self, microseconds); };
  vfs.xCurrentTime = [](sqlite3_vfs* self, double* now) { return pass_vfs<&Vfs::xCurrentTime>(self, now); };
  vfs.xGetLastError = [](sqlite3_vfs* self, int bytes, char* text) {
    return pass_vfs<&Vfs::xGetLastError>(self, bytes, text);
  };
  vfs.xCurrentTimeInt64 = [](sqlite3_vfs* self, sqlite3_int64* now) {
    return pass_vfs<&Vfs::xCurrentTimeInt64>(self, now);
  };
  return vfs;
}

}  // namespace

const char* counting_vfs() {
  static sqlite3_vfs vfs = [] {
    GW_CHECK(sqlite3_initialize() == SQLITE_OK);
    sqlite3_vfs* unix_vfs = sqlite3_vfs_find("unix");
    GW_CHECK(unix_vfs != nullptr && unix_vfs->iVersion >= 2);
    return make_vfs(unix_vfs);
  }();
  static const bool registered = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
  GW_CHECK(registered);
  return vfs.zName;
}

std::uint64_t syncs_on_this_thread() { return syncs; }
void count_sync() { ++syncs; }

}  // namespace gw::sql
