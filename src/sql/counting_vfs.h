// A thin layer over SQLite's own unix VFS which counts what is synced to the disk.
#pragma once

#include <cstdint>

namespace gw::sql {

/// The name under which it is registered, at the first call. May be called from any thread.
const char* counting_vfs();

/// Calls of fsync and fdatasync that SQLite has made on this thread through that VFS.
std::uint64_t syncs_on_this_thread();
/// For other VFSs whose syncs should be counted, too.
void count_sync();

}  // namespace gw::sql
