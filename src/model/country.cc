// One text of all codes, in order.
#include "model/country.h"

#include <algorithm>
#include <cstddef>

namespace gw {
namespace {

/// ISO 3166-1 as of iso-codes 4.15 (Debian 12), and XK.
constexpr std::string_view kCodes =
    "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCI"
    "CKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQ"
    "GRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLS"
    "LTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPG"
    "PHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTK"
    "TLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW";

}  // namespace

bool is_country(std::string_view code) {
  if (code.size() != 2) return false;
  std::size_t from = 0;
  std::size_t to = kCodes.size() / 2;
  while (from < to) {
    const std::size_t middle = (from + to) / 2;
    const std::string_view at = kCodes.substr(2 * middle, 2);
    if (at == code) return true;
    (at < code ? from : to) = at < code ? middle + 1 : middle;
  }
  return false;
}

}  // namespace gw
