// PowerCutDisk: a disk in memory that knows what has been synced, so that its power can be cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"

namespace gw::sql::testing {

/// One folder of files. Each file is two images: what programs see, and what has certainly reached the disk.
/// Between them lie the writes and truncations since the last sync, in order. Names are treated alike: files
/// made and removed are durable once the folder is synced.
class PowerCutDisk {
 public:
  /// How much damage a cut may do to writes that were not synced.
  enum class Cut : std::uint8_t {
    kDropAll,    ///< None of them is left.
    kKeepAll,    ///< All are (only the process has died).
    kSomeWhole,  ///< Each is left or not.
    kSectors,    ///< Each sector of each is left, or not, or torn: a part of it, or noise in its place.
    kAny,        ///< One of the above, by chance.
  };
  static constexpr std::size_t kSector = 512;

  struct File {
    std::string now;
    std::string durable;
    struct Change {
      bool truncate = false;
      std::size_t at = 0;  ///< Or the new size.
      std::string bytes;
    };
    std::vector<Change> changes;
  };
  using FilePointer = std::shared_ptr<File>;

  /// `whole_sectors`: a torn write may spoil all of its sectors (no "power-safe overwrite").
  explicit PowerCutDisk(bool whole_sectors = false) : whole_sectors_(whole_sectors) {}

  /// Null where there is none and `create` is false.
  FilePointer open(const std::string& name, bool create);
  [[nodiscard]] bool exists(const std::string& name) const { return names_.contains(name); }
  void remove(const std::string& name);
  void sync_folder() { durable_names_ = names_; }

  void write(File& file, std::size_t at, std::string_view bytes) const;
  void truncate(File& file, std::size_t size) const;
  void sync(File& file) const;
  /// A sync that fails as on Linux: some of the changes are lost, and no later sync writes them.
  void fail_sync(File& file, Rng& rng) const;

  /// Files are then what has survived. Open ones belong to a machine that is no more.
  void cut_power(Rng& rng, Cut cut);

  [[nodiscard]] const std::map<std::string, FilePointer>& files() const { return names_; }

 private:
  void apply(std::string& image, const File::Change& change) const;
  void survive(File& file, Rng& rng, Cut cut) const;
  void survive_in_sectors(std::string& image, const File::Change& change, Rng& rng) const;

  bool whole_sectors_;
  std::map<std::string, FilePointer> names_;
  std::map<std::string, FilePointer> durable_names_;
};

}  // namespace gw::sql::testing
