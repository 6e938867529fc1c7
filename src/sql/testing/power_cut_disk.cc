// What survives of unsynced writes.
#include "sql/testing/power_cut_disk.h"

#include <algorithm>
#include <set>

#include "base/check.h"

namespace gw::sql::testing {

PowerCutDisk::FilePointer PowerCutDisk::open(const std::string& name, bool create) {
  const auto found = names_.find(name);
  if (found != names_.end()) return found->second;
  if (!create) return nullptr;
  return names_[name] = std::make_shared<File>();
}

void PowerCutDisk::remove(const std::string& name) { names_.erase(name); }

void PowerCutDisk::apply(std::string& image, const File::Change& change) const {
  if (change.truncate) {
    image.resize(change.at, '\0');
    return;
  }
  if (image.size() < change.at + change.bytes.size()) image.resize(change.at + change.bytes.size(), '\0');
  image.replace(change.at, change.bytes.size(), change.bytes);
}

void PowerCutDisk::write(File& file, std::size_t at, std::string_view bytes) const {
  file.changes.push_back({false, at, std::string(bytes)});
  apply(file.now, file.changes.back());
}

void PowerCutDisk::truncate(File& file, std::size_t size) const {
  file.changes.push_back({true, size, {}});
  apply(file.now, file.changes.back());
}

void PowerCutDisk::sync(File& file) const {
  for (const File::Change& change : file.changes) apply(file.durable, change);
  file.changes.clear();
}

void PowerCutDisk::fail_sync(File& file, Rng& rng) const { survive(file, rng, Cut::kSomeWhole); }

/// Each sector by itself; those of one write may land in any order, so any set of them may be there.
void PowerCutDisk::survive_in_sectors(std::string& image, const File::Change& change, Rng& rng) const {
  const std::size_t end = change.at + change.bytes.size();
  for (std::size_t from = change.at; from < end;) {
    const std::size_t to = std::min(end, (from / kSector + 1) * kSector);
    const std::string_view bytes = std::string_view(change.bytes).substr(from - change.at, to - from);
    switch (rng.below(8)) {
      case 0:
      case 1:
      case 2:
        break;   // Not there.
      case 3: {  // Torn: the beginning or the end only.
        const std::size_t middle = rng.below(bytes.size() + 1);
        if (rng.chance(0.5)) {
          apply(image, {false, from, std::string(bytes.substr(0, middle))});
        } else {
          apply(image, {false, from + middle, std::string(bytes.substr(middle))});
        }
        break;
      }
      case 4: {  // Noise, or zeros as of a file that grew before its bytes came.
        const bool zeros = rng.chance(0.5);
        std::size_t noise_from = from;
        std::size_t noise_to = to;
        if (whole_sectors_) {
          noise_from = from / kSector * kSector;
          noise_to = std::max(to, std::min(image.size(), noise_from + kSector));
        }
        std::string noise(noise_to - noise_from, '\0');
        if (!zeros) {
          for (char& c : noise) c = static_cast<char>(rng.next());
        }
        apply(image, {false, noise_from, std::move(noise)});
        break;
      }
      default:
        apply(image, {false, from, std::string(bytes)});
    }
    from = to;
  }
}

void PowerCutDisk::survive(File& file, Rng& rng, Cut cut) const {
  // Half of the cuts lose few, half many.
  const double kept = rng.chance(0.5) ? 0.9 : 0.5;
  for (const File::Change& change : file.changes) {
    if (cut == Cut::kSectors && !change.truncate) {
      survive_in_sectors(file.durable, change, rng);
    } else if (cut == Cut::kKeepAll || (cut != Cut::kDropAll && rng.chance(kept))) {
      apply(file.durable, change);
    }
  }
  file.changes.clear();
}

void PowerCutDisk::cut_power(Rng& rng, Cut cut) {
  const auto chosen = [&] { return cut == Cut::kAny ? static_cast<Cut>(rng.below(4)) : cut; };
  // Names first: each that was made or removed since the folder was synced has come to the disk or not.
  std::map<std::string, FilePointer> left = durable_names_;
  std::set<std::string> all;
  for (const auto& [name, file] : names_) all.insert(name);
  for (const auto& [name, file] : durable_names_) all.insert(name);
  const Cut names_cut = chosen();
  for (const std::string& name : all) {
    const auto now = names_.find(name);
    const auto durable = durable_names_.find(name);
    const FilePointer new_file = now != names_.end() ? now->second : nullptr;
    const FilePointer old_file = durable != durable_names_.end() ? durable->second : nullptr;
    if (new_file == old_file) continue;
    if (names_cut == Cut::kDropAll || (names_cut != Cut::kKeepAll && rng.chance(0.5))) continue;
    if (new_file != nullptr) {
      left[name] = new_file;
    } else {
      left.erase(name);
    }
  }
  names_.clear();
  for (const auto& [name, file] : left) {
    survive(*file, rng, chosen());
    // A new object: handles from before the cut keep the old one.
    auto after = std::make_shared<File>();
    after->durable = after->now = file->durable;
    names_[name] = std::move(after);
  }
  durable_names_ = names_;
}

}  // namespace gw::sql::testing
