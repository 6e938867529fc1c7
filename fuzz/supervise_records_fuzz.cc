// Any bytes as a launch or exit record: what is read must be written the same way again, the rest refused.
//
// A mutated record would fail its checksum, so the input is a payload (behind a byte that says of which type)
// and gets a right head first; then it is also read as it is.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "supervise/records.h"

namespace {

std::string with_head(std::string_view type, std::string_view payload) {
  gw::ByteWriter head;
  head.fixed32(static_cast<std::uint32_t>(payload.size()));
  head.fixed32(gw::crc32c(payload, gw::crc32c(type)));
  std::string bytes(type);
  bytes += head.bytes();
  bytes += payload;
  return bytes;
}

void read(std::string_view bytes) {
  using namespace gw::supervise;
  if (const auto launch = decode_launch(bytes)) GW_CHECK(decode_launch(encode(*launch)) == launch);
  if (auto exit = decode_exit(bytes)) {
    exit->note.resize(std::min<std::size_t>(exit->note.size(), 1000));  // Longer ones are cut.
    GW_CHECK(decode_exit(encode(*exit)) == exit);
  }
  (void)decode_claim(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string input(data, data + size);
  read(input);
  static constexpr std::string_view kTypes[] = {"GWL1", "GWX1", "GWC1"};
  read(with_head(kTypes[data[0] % 3], std::string_view(input).substr(1)));
  return 0;
}
