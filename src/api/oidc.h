// Oidc: bearer tokens of an OpenID Connect issuer: JWTs that its key signed, and whom they make of their
// bearer here.
//
// A token is believed only whole: a known algorithm, the issuer's key of that kind, its signature, this
// issuer and this audience, its time. What it says of tenant and role is then held to what this file's
// options allow: a tenant that exists, a role of at most `most_role`; the whole factory is given by the
// operator's own mapping alone, never by a claim.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/authority.h"
#include "api/key_source.h"
#include "live/records.h"

namespace gw::api {

/// What members of a group of the issuer's are here.
struct GroupMapping {
  std::string group;
  std::string tenant;       ///< Empty: it says nothing about the tenant.
  bool everywhere = false;  ///< The whole factory instead of a tenant.
  std::optional<live::Role> role;
};

struct OidcOptions {
  std::string issuer;    ///< `iss`, letter by letter.
  std::string audience;  ///< `aud`, or one of its list.
  KeySourceOptions keys;
  std::vector<std::string> user_claims{"preferred_username", "email", "sub"};  ///< The first that is there.
  std::string tenant_claim = "gigawerk_tenant";
  std::string role_claim = "gigawerk_role";
  std::string groups_claim = "groups";
  std::vector<GroupMapping> groups;  ///< The first that fits decides.
  live::Role default_role = live::Role::kViewer;
  live::Role most_role = live::Role::kOperator;
  std::int64_t leeway_s = 60;
  /// Seconds since 1970; empty: the system's clock.
  std::function<std::int64_t()> now_unix_s;
};

/// What a believed token says of its bearer.
struct Bearer {
  std::string subject;
  std::string user;
  std::string tenant;  ///< Path; empty with `everywhere`, or where nothing names a tenant.
  bool everywhere = false;
  live::Role role = live::Role::kViewer;
  std::int64_t until_unix_s = 0;  ///< When it is over, the leeway included.
};

/// Checks the token against these keys at `now_unix_s`. The Refusal's code is `unknown_key` where no key of
/// that id is known, `unauthorised` for everything else. Before the signature has been checked, its message
/// says nothing.
std::expected<Bearer, live::Refusal> read_bearer(std::string_view token, const KeySet& keys,
                                                 const OidcOptions& options, std::int64_t now_unix_s);

class Oidc {
 public:
  static Result<std::unique_ptr<Oidc>> start(OidcOptions options);

  /// As ForeignTokens: none for what is no signed token at all. 401: not believed; 403: believed, but of no
  /// tenant that there is; 503: its key is being looked for. From any thread.
  std::optional<std::expected<live::Actor, live::Refusal>> identify(std::string_view token,
                                                                    const live::Book& book);
  /// The keys are read anew soon.
  void reload() { keys_->want_newer(); }

 private:
  explicit Oidc(OidcOptions options) : options_(std::move(options)) {}

  OidcOptions options_;
  std::unique_ptr<KeySource> keys_;
};

}  // namespace gw::api
