// JWK Sets.
#include <utility>

#include "api/base64url.h"
#include "api/public_key.h"
#include "spec/json_tree.h"

namespace gw::api {
namespace {

constexpr spec::YamlLimits kLimits{.bytes = std::size_t{1} << 20, .values = 100'000, .depth = 16};

using Node = spec::YamlNode;

std::optional<std::string_view> text_of(const Node& map, std::string_view key) {
  const Node* node = map.find(key);
  if (node == nullptr || node->kind != Node::Kind::kScalar || !node->quoted) return std::nullopt;
  return node->text;
}

std::string bytes_of(const Node& map, std::string_view key) {
  const std::optional<std::string_view> text = text_of(map, key);
  return text ? read_base64url(*text).value_or("") : std::string();
}

/// Whether it is for signatures, as far as it says.
bool is_for_signatures(const Node& map) {
  if (const Node* use = map.find("use"); use != nullptr && text_of(map, "use") != "sig") return false;
  const Node* operations = map.find("key_ops");
  if (operations == nullptr) return true;
  bool verifies = false;
  for (const Node* operation : operations->items) verifies = verifies || operation->text == "verify";
  return operations->kind == Node::Kind::kList && verifies;
}

Result<PublicKey> key_of(const Node& map) {
  const std::string_view type = text_of(map, "kty").value_or("");
  const std::string_view curve = text_of(map, "crv").value_or("");
  if (type == "RSA") return PublicKey::rsa(bytes_of(map, "n"), bytes_of(map, "e"));
  if (type == "EC" && (curve == "P-256" || curve == "P-384"))
    return PublicKey::ec(curve == "P-256" ? PublicKey::Kind::kP256 : PublicKey::Kind::kP384,
                         bytes_of(map, "x"), bytes_of(map, "y"));
  if (type == "OKP" && curve == "Ed25519") return PublicKey::ed25519(bytes_of(map, "x"));
  return fail("a key of another kind");
}

std::optional<NamedKey> named_key_of(const Node& map) {
  if (map.kind != Node::Kind::kMap || !is_for_signatures(map)) return std::nullopt;
  Result<PublicKey> key = key_of(map);
  if (!key) return std::nullopt;
  NamedKey named{std::string(text_of(map, "kid").value_or("")), std::nullopt, std::move(*key)};
  if (map.find("alg") != nullptr) {
    named.algorithm = jws_algorithm_by_name(text_of(map, "alg").value_or(""));
    if (!named.algorithm || !named.key.fits(*named.algorithm)) return std::nullopt;
  }
  return named;
}

}  // namespace

Result<KeySet> KeySet::parse(std::string_view text) {
  spec::Findings findings("keys");
  const std::optional<spec::JsonTree> tree = spec::JsonTree::parse(text, findings, kLimits);
  if (!tree || findings.failed()) return fail(spec::diagnostics_text(findings.take()));
  const Node* keys = tree->root().find("keys");
  if (keys == nullptr || keys->kind != Node::Kind::kList)
    return fail("this is no JWK Set: a JSON object with the list \"keys\" is awaited");
  KeySet set;
  for (const Node* item : keys->items) {
    if (std::optional<NamedKey> key = named_key_of(*item)) {
      set.keys_.push_back(std::move(*key));
    } else {
      ++set.passed_over_;
    }
  }
  if (set.keys_.empty())
    return fail(
        "the JWK Set has no key that can be used: RSA of at least 2048 bits, EC on P-256 or P-384, or "
        "Ed25519, for signatures");
  return set;
}

const PublicKey* KeySet::find(std::string_view id, JwsAlgorithm algorithm) const {
  const PublicKey* found = nullptr;
  for (const NamedKey& key : keys_) {
    if (!id.empty() && key.id != id) continue;
    if (!key.key.fits(algorithm) || (key.algorithm && *key.algorithm != algorithm)) continue;
    if (found != nullptr) return nullptr;
    found = &key.key;
  }
  return found;
}

bool KeySet::has(std::string_view id) const {
  for (const NamedKey& key : keys_) {
    if (key.id == id) return true;
  }
  return false;
}

}  // namespace gw::api
