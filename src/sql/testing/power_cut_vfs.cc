// The methods of the VFS: files on the disk in memory, and when they fail.
#include "sql/testing/power_cut_vfs.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <new>

#include "base/check.h"
#include "sql/counting_vfs.h"
#include "sql/testing/power_cut_locks.h"

namespace gw::sql::testing {
namespace {

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

}  // namespace

struct PowerCutVfs::State {
  std::mutex mutex;
  PowerCutDisk disk;
  Options options;
  Rng rng;
  std::string name;
  sqlite3_vfs vfs{};
  sqlite3_vfs* system = nullptr;
  std::map<std::string, std::shared_ptr<PathLocks>> locks;
  std::uint64_t generation = 0;  ///< Power cuts so far.
  std::uint64_t operations = 0;
  std::uint64_t syncs = 0;
  std::uint64_t fail_at = kNever;
  std::uint64_t stop_at = kNever;
  bool lasting = false;
  bool failed = false;
  Failure failure = Failure::kIoError;

  explicit State(const Options& given) : disk(!given.power_safe_overwrite), options(given), rng(given.seed) {}

  [[nodiscard]] bool stopped() const { return operations >= stop_at; }
  /// Counts an operation; true if it is to fail.
  bool hit() {
    ++operations;
    const bool fails = stopped() || operations == fail_at || (lasting && operations > fail_at);
    failed = failed || fails;
    return fails;
  }
};

namespace {

using State = PowerCutVfs::State;

struct Handle {
  sqlite3_file base{};
  State* state = nullptr;
  PowerCutDisk::FilePointer file;
  std::shared_ptr<PathLocks> locks;
  PathLocks::Holder held;
  std::uint64_t generation = 0;
  std::string remove_at_close;
  bool new_log = false;

  /// Of a machine whose power was cut, or that has stopped.
  [[nodiscard]] bool dead() const { return generation != state->generation || state->stopped(); }
};

Handle& handle(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
State& state_of(sqlite3_vfs* vfs) { return *static_cast<State*>(vfs->pAppData); }

int lock(sqlite3_file* file, int level) {
  Handle& self = handle(file);
  const std::lock_guard guard(self.state->mutex);
  return self.dead() ? SQLITE_IOERR_LOCK : self.locks->lock(self.held, level);
}

int unlock(sqlite3_file* file, int level) {
  Handle& self = handle(file);
  const std::lock_guard guard(self.state->mutex);
  self.locks->unlock(self.held, level);
  return SQLITE_OK;
}

int check_reserved(sqlite3_file* file, int* held) {
  const Handle& self = handle(file);
  const std::lock_guard guard(self.state->mutex);
  *held = self.locks->reserved() ? 1 : 0;
  return SQLITE_OK;
}

int shm_map(sqlite3_file* file, int region, int bytes, int extend, void volatile** memory) {
  Handle& self = handle(file);
  const std::lock_guard guard(self.state->mutex);
  *memory = nullptr;
  if (self.dead()) return SQLITE_IOERR_SHMMAP;
  *memory = self.locks->map(self.held, static_cast<std::size_t>(region), static_cast<std::size_t>(bytes),
                            extend != 0);
  return SQLITE_OK;
}

int shm_lock(sqlite3_file* file, int first, int count, int flags) {
  Handle& self = handle(file);
  const std::lock_guard guard(self.state->mutex);
  const unsigned slots = ((1U << count) - 1U) << first;
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    self.locks->unlock_slots(self.held, slots);
    return SQLITE_OK;
  }
  if (self.dead()) return SQLITE_IOERR_SHMLOCK;
  return self.locks->lock_slots(self.held, slots, (flags & SQLITE_SHM_SHARED) != 0);
}

int shm_unmap(sqlite3_file* file, int /*remove*/) {
  Handle& self = handle(file);
  const std::lock_guard guard(self.state->mutex);
  self.locks->unmap(self.held);
  return SQLITE_OK;
}

int close(sqlite3_file* file) {
  Handle& self = handle(file);
  {
    const std::lock_guard guard(self.state->mutex);
    self.locks->unmap(self.held);
    self.locks->unlock(self.held, SQLITE_LOCK_NONE);
    if (!self.remove_at_close.empty() && !self.dead()) self.state->disk.remove(self.remove_at_close);
  }
  self.~Handle();
  return SQLITE_OK;
}

int read(sqlite3_file* file, void* into, int bytes, sqlite3_int64 at) {
  const Handle& self = handle(file);
  const std::lock_guard guard(self.state->mutex);
  if (self.dead()) return SQLITE_IOERR_READ;
  const std::string& image = self.file->now;
  const auto from = static_cast<std::size_t>(at);
  const auto wanted = static_cast<std::size_t>(bytes);
  const std::size_t got = from < image.size() ? std::min(wanted, image.size() - from) : 0;
  if (got > 0) std::memcpy(into, image.data() + from, got);
  if (got == wanted) return SQLITE_OK;
  std::memset(static_cast<char*>(into) + got, 0, wanted - got);
  return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
  Handle& self = handle(file);
  State& state = *self.state;
  const std::lock_guard guard(state.mutex);
  if (self.dead()) return SQLITE_IOERR_WRITE;
  const std::string_view all(static_cast<const char*>(from), static_cast<std::size_t>(bytes));
  const auto where = static_cast<std::size_t>(at);
  if (!state.hit()) {
    state.disk.write(*self.file, where, all);
    return SQLITE_OK;
  }
  if (state.stopped()) {
    state.disk.write(*self.file, where, all);  // On its way when the machine stopped.
    return SQLITE_IOERR_WRITE;
  }
  state.disk.write(*self.file, where, all.substr(0, state.rng.below(all.size() + 1)));
  return state.failure == PowerCutVfs::Failure::kDiskFull ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  Handle& self = handle(file);
  const std::lock_guard guard(self.state->mutex);
  if (self.dead()) return SQLITE_IOERR_TRUNCATE;
  const bool fails = self.state->hit();
  if (!fails || self.state->stopped()) self.state->disk.truncate(*self.file, static_cast<std::size_t>(size));
  return fails ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

int sync(sqlite3_file* file, int /*flags*/) {
  Handle& self = handle(file);
  State& state = *self.state;
  const std::lock_guard guard(state.mutex);
  if (self.dead()) return SQLITE_IOERR_FSYNC;
  count_sync();
  ++state.syncs;
  if (state.hit()) {
    if (!state.stopped()) state.disk.fail_sync(*self.file, state.rng);
    return SQLITE_IOERR_FSYNC;
  }
  state.disk.sync(*self.file);
  // As SQLite's unix VFS does: the first sync of a new log makes its name durable, that of a database does
  // not.
  if (self.new_log) state.disk.sync_folder();
  self.new_log = false;
  return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  const Handle& self = handle(file);
  const std::lock_guard guard(self.state->mutex);
  if (self.dead()) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(self.file->now.size());
  return SQLITE_OK;
}

const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = close,
    .xRead = read,
    .xWrite = write,
    .xTruncate = truncate,
    .xSync = sync,
    .xFileSize = file_size,
    .xLock = lock,
    .xUnlock = unlock,
    .xCheckReservedLock = check_reserved,
    .xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; },
    .xSectorSize = [](sqlite3_file*) { return static_cast<int>(PowerCutDisk::kSector); },
    .xDeviceCharacteristics =
        [](sqlite3_file* file) {
          return handle(file).state->options.power_safe_overwrite ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0;
        },
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = [](sqlite3_file* file) { const std::lock_guard guard(handle(file).state->mutex); },
    .xShmUnmap = shm_unmap,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  State& state = state_of(vfs);
  const std::lock_guard guard(state.mutex);
  file->pMethods = nullptr;
  if (state.stopped()) return SQLITE_CANTOPEN;
  const std::string path = name != nullptr ? name : fmt::format("temporary-{}", state.rng.next());
  const bool create = (flags & SQLITE_OPEN_CREATE) != 0 || name == nullptr;
  const bool existed = state.disk.exists(path);
  PowerCutDisk::FilePointer opened = state.disk.open(path, create);
  if (opened == nullptr) return SQLITE_CANTOPEN;
  Handle& self = *new (file) Handle();
  self.base.pMethods = &methods;
  self.state = &state;
  self.file = std::move(opened);
  self.generation = state.generation;
  std::shared_ptr<PathLocks>& locks = state.locks[path];
  if (locks == nullptr) locks = std::make_shared<PathLocks>();
  self.locks = locks;
  if ((flags & SQLITE_OPEN_DELETEONCLOSE) != 0 || name == nullptr) self.remove_at_close = path;
  constexpr int kLogs = SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
  self.new_log = (flags & kLogs) != 0 && (create || !existed);
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  State& state = state_of(vfs);
  const std::lock_guard guard(state.mutex);
  if (state.stopped() || state.hit()) return SQLITE_IOERR_DELETE;
  if (!state.disk.exists(name)) return SQLITE_IOERR_DELETE_NOENT;
  state.disk.remove(name);
  if (sync_folder != 0) state.disk.sync_folder();
  return SQLITE_OK;
}

int access(sqlite3_vfs* vfs, const char* name, int /*flags*/, int* result) {
  State& state = state_of(vfs);
  const std::lock_guard guard(state.mutex);
  *result = state.disk.exists(name) ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs* /*vfs*/, const char* name, int bytes, char* full) {
  sqlite3_snprintf(bytes, full, "%s", name);
  return SQLITE_OK;
}

int randomness(sqlite3_vfs* vfs, int bytes, char* into) {
  State& state = state_of(vfs);
  const std::lock_guard guard(state.mutex);
  for (int index = 0; index < bytes; ++index) into[index] = static_cast<char>(state.rng.next());
  return bytes;
}

std::atomic<int> made = 0;

}  // namespace

PowerCutVfs::PowerCutVfs(const Options& options) : state_(std::make_unique<State>(options)) {
  GW_CHECK(sqlite3_initialize() == SQLITE_OK);
  state_->name = fmt::format("gigawerk-power-cut-{}", made++);
  state_->system = sqlite3_vfs_find("unix");
  sqlite3_vfs& vfs = state_->vfs;
  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(Handle);
  vfs.mxPathname = 512;
  vfs.zName = state_->name.c_str();
  vfs.pAppData = state_.get();
  vfs.xOpen = open;
  vfs.xDelete = remove;
  vfs.xAccess = access;
  vfs.xFullPathname = full_path;
  vfs.xRandomness = randomness;
  vfs.xSleep = [](sqlite3_vfs* self, int microseconds) {
    return state_of(self).system->xSleep(state_of(self).system, microseconds);
  };
  vfs.xCurrentTime = [](sqlite3_vfs* self, double* now) {
    return state_of(self).system->xCurrentTime(state_of(self).system, now);
  };
  vfs.xCurrentTimeInt64 = [](sqlite3_vfs* self, sqlite3_int64* now) {
    return state_of(self).system->xCurrentTimeInt64(state_of(self).system, now);
  };
  vfs.xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
  GW_CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}

PowerCutVfs::~PowerCutVfs() { sqlite3_vfs_unregister(&state_->vfs); }

const std::string& PowerCutVfs::name() const { return state_->name; }

std::uint64_t PowerCutVfs::operations() const {
  const std::lock_guard guard(state_->mutex);
  return state_->operations;
}

std::uint64_t PowerCutVfs::syncs() const {
  const std::lock_guard guard(state_->mutex);
  return state_->syncs;
}

bool PowerCutVfs::failed() const {
  const std::lock_guard guard(state_->mutex);
  return state_->failed;
}

void PowerCutVfs::fail_after(std::uint64_t n, Failure failure, bool lasting) {
  const std::lock_guard guard(state_->mutex);
  state_->fail_at = state_->operations + n;
  state_->failure = failure;
  state_->lasting = lasting;
  state_->failed = false;
}

void PowerCutVfs::stop_after(std::uint64_t n) {
  const std::lock_guard guard(state_->mutex);
  state_->stop_at = state_->operations + n;
  state_->failed = false;
}

void PowerCutVfs::clear_failures() {
  const std::lock_guard guard(state_->mutex);
  state_->fail_at = state_->stop_at = kNever;
  state_->lasting = state_->failed = false;
}

void PowerCutVfs::cut_power(Rng& rng, PowerCutDisk::Cut cut) {
  clear_failures();
  const std::lock_guard guard(state_->mutex);
  ++state_->generation;
  state_->locks.clear();
  state_->disk.cut_power(rng, cut);
}

PowerCutDisk& PowerCutVfs::disk() { return state_->disk; }

}  // namespace gw::sql::testing
