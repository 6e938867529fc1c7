// From a token to an actor.
#include "api/oidc.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "api/claims.h"
#include "api/jws.h"
#include "spec/described.h"

namespace gw::api {
namespace {

constexpr std::size_t kMostNameBytes = 200;

std::unexpected<live::Refusal> refuse(std::string message) {
  return std::unexpected(live::Refusal{401, "unauthorised", std::move(message)});
}

/// The words of Authority: whoever has no good token learns nothing from how it is refused.
std::unexpected<live::Refusal> refuse_silently() {
  return refuse("the token is not valid: unknown, expired or revoked");
}

/// A name that is harmless wherever it will stand: on screens, in tables, in file names, in variables.
bool is_user_name(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && text.size() <= kMostNameBytes && plain(text.front()) &&
         std::ranges::all_of(
             text, [&](char c) { return plain(c) || std::string_view("._-@+|:").find(c) != text.npos; });
}

bool is_subject(std::string_view text) {
  return !text.empty() && text.size() <= 255 &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

/// The claims that say where, for whom and when the token holds; the time at which it is over.
std::expected<std::int64_t, live::Refusal> check_registered(const Claims& claims, const OidcOptions& options,
                                                            std::int64_t now_unix_s) {
  if (claims.text("iss") != options.issuer) return refuse("the token is of another issuer");
  const std::optional<std::vector<std::string_view>> audience = claims.texts("aud");
  if (!audience || std::ranges::find(*audience, options.audience) == audience->end())
    return refuse("the token is for another audience");
  const auto now = static_cast<double>(now_unix_s);
  const auto leeway = static_cast<double>(options.leeway_s);
  const std::optional<double> until = claims.number("exp");
  if (!until) return refuse("the token does not say when it expires");
  if (now >= *until + leeway) return refuse("the token has expired");
  for (const char* key : {"nbf", "iat"}) {
    if (!claims.has(key)) continue;
    const std::optional<double> from = claims.number(key);
    if (!from) return refuse(fmt::format("the token's \"{}\" is no time", key));
    if (now + leeway < *from) return refuse("the token is not valid yet");
  }
  constexpr double kLastSecond = 1e15;  // Far beyond every calendar; a double counts seconds exactly there.
  return static_cast<std::int64_t>(std::min(std::ceil(*until + leeway), kLastSecond));
}

std::expected<std::string, live::Refusal> user_of(const Claims& claims, const OidcOptions& options) {
  for (const std::string& key : options.user_claims) {
    if (!claims.has(key)) continue;
    // Anybody can write any address into an account whose address nobody has looked at.
    if (key == "email" && claims.has("email_verified") && claims.truth("email_verified") != true) continue;
    const std::optional<std::string_view> name = claims.text(key);
    // The next claim would be another name for another purpose: what stands first decides.
    if (!name || !is_user_name(*name))
      return refuse(fmt::format("the token's \"{}\" cannot be a user's name here", key));
    return std::string(*name);
  }
  return refuse("the token names no user");
}

/// Tenant and role: what the claims say, else what the first mapping of a group says. A mapping for one
/// tenant gives no role in another.
std::expected<void, live::Refusal> set_rights(const Claims& claims, const OidcOptions& options,
                                              Bearer& bearer) {
  std::vector<std::string_view> groups;
  if (claims.has(options.groups_claim)) {
    std::optional<std::vector<std::string_view>> listed = claims.texts(options.groups_claim);
    if (!listed) return refuse(fmt::format("the token's \"{}\" is no list of names", options.groups_claim));
    groups = std::move(*listed);
  }
  const auto is_member = [&](const GroupMapping& mapping) {
    return std::ranges::find(groups, mapping.group) != groups.end();
  };
  if (claims.has(options.tenant_claim)) {
    const std::optional<std::string_view> path = claims.text(options.tenant_claim);
    if (!path || !spec::is_text(spec::Text::kTenantPath, *path))
      return refuse(fmt::format("the token's \"{}\" is no path of a tenant", options.tenant_claim));
    bearer.tenant = *path;
  } else {
    const auto mapping = std::ranges::find_if(options.groups, [&](const GroupMapping& each) {
      return (each.everywhere || !each.tenant.empty()) && is_member(each);
    });
    if (mapping != options.groups.end()) {
      bearer.tenant = mapping->tenant;
      bearer.everywhere = mapping->everywhere;
    }
  }
  bearer.role = options.default_role;
  if (claims.has(options.role_claim)) {
    const std::optional<std::string_view> name = claims.text(options.role_claim);
    const std::optional<live::Role> role = name ? live::role_by_name(*name) : std::nullopt;
    if (!role) return refuse(fmt::format("the token's \"{}\" is no role", options.role_claim));
    bearer.role = *role;
  } else {
    const auto mapping = std::ranges::find_if(options.groups, [&](const GroupMapping& each) {
      const bool here = each.everywhere
                            ? bearer.everywhere
                            : each.tenant.empty() || (!bearer.everywhere && each.tenant == bearer.tenant);
      return each.role && here && is_member(each);
    });
    if (mapping != options.groups.end()) bearer.role = *mapping->role;
  }
  bearer.role = std::min(bearer.role, options.most_role);
  return {};
}

}  // namespace

std::expected<Bearer, live::Refusal> read_bearer(std::string_view token, const KeySet& keys,
                                                 const OidcOptions& options, std::int64_t now_unix_s) {
  const Result<Jws> jws = read_jws(token);
  if (!jws) return refuse_silently();
  const PublicKey* key = keys.find(jws->key_id, jws->algorithm);
  if (key == nullptr) {
    const bool unknown = !jws->key_id.empty() && !keys.has(jws->key_id);
    live::Refusal refusal = refuse_silently().error();
    if (unknown) refusal.code = "unknown_key";
    return std::unexpected(std::move(refusal));
  }
  if (!key->verify(jws->algorithm, jws->signed_part, jws->signature)) return refuse_silently();

  const Result<Claims> claims = Claims::parse(jws->payload);
  if (!claims) return refuse("the token's claims: " + claims.error().message);
  const std::expected<std::int64_t, live::Refusal> until = check_registered(*claims, options, now_unix_s);
  if (!until) return std::unexpected(until.error());
  Bearer bearer;
  bearer.until_unix_s = *until;
  const std::optional<std::string_view> subject = claims->text("sub");
  if (!subject || !is_subject(*subject)) return refuse("the token has no subject");
  bearer.subject = *subject;
  std::expected<std::string, live::Refusal> user = user_of(*claims, options);
  if (!user) return std::unexpected(std::move(user.error()));
  bearer.user = std::move(*user);
  if (std::expected<void, live::Refusal> set = set_rights(*claims, options, bearer); !set)
    return std::unexpected(std::move(set.error()));
  return bearer;
}

Result<std::unique_ptr<Oidc>> Oidc::start(OidcOptions options) {
  if (!options.now_unix_s) {
    options.now_unix_s = [] {
      return std::chrono::duration_cast<std::chrono::seconds>(
                 std::chrono::system_clock::now().time_since_epoch())
          .count();
    };
  }
  std::unique_ptr<Oidc> oidc(new Oidc(std::move(options)));
  Result<std::unique_ptr<KeySource>> keys = KeySource::start(oidc->options_.keys);
  if (!keys) return std::unexpected(keys.error());
  oidc->keys_ = std::move(*keys);
  return oidc;
}

std::optional<std::expected<live::Actor, live::Refusal>> Oidc::identify(std::string_view token,
                                                                        const live::Book& book) {
  if (!looks_like_jws(token)) return std::nullopt;
  const live::Refusal later{503, "keys_awaited", "the issuer's keys are being read; try again in a moment"};
  const std::shared_ptr<const KeySet> keys = keys_->keys();
  if (keys == nullptr) {
    static_cast<void>(keys_->want_newer());
    return std::unexpected(later);
  }
  std::expected<Bearer, live::Refusal> bearer = read_bearer(token, *keys, options_, options_.now_unix_s());
  if (!bearer) {
    if (bearer.error().code != "unknown_key") return std::unexpected(std::move(bearer.error()));
    if (keys_->want_newer()) return std::unexpected(later);
    bearer.error().code = "unauthorised";
    return std::unexpected(std::move(bearer.error()));
  }
  // One answer for no tenant, and for one that there is not.
  const bool named = bearer->everywhere || !bearer->tenant.empty();
  const TenantId tenant = named ? book.tenant(bearer->tenant) : TenantId{};
  if (!tenant.valid())
    return std::unexpected(live::Refusal{
        403, "no_tenant", "the token is good, but gives no rights in a tenant of this factory"});
  live::Actor actor;
  actor.token = "oidc:" + bearer->subject;
  actor.user = std::move(bearer->user);
  actor.role = bearer->role;
  actor.tenant = tenant;
  actor.until_unix_s = bearer->until_unix_s;
  return actor;
}

}  // namespace gw::api
