// For tests: throwaway certificates, made on the spot.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

namespace gw::http {

/// A folder with an authority and certificates that it has signed.
class TestCertificates {
 public:
  TestCertificates() {
    std::string folder = testing::TempDir() + "gigawerk-tls-XXXXXX";
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    ca_key_ = make_key();
    ca_ = make_certificate("Test authority", *ca_key_, "", *ca_key_, nullptr);
    write_certificate(path("ca.pem"), *ca_, nullptr);
  }
  ~TestCertificates() { std::filesystem::remove_all(folder_); }
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string ca() const { return path("ca.pem"); }

  /// NAME.pem (with the chain) and NAME.key for `names`, such as `DNS:localhost,IP:127.0.0.1`.
  void make(const std::string& name, const std::string& names) {
    const KeyPointer key = make_key();
    const CertificatePointer certificate = make_certificate(name, *key, names, *ca_key_, ca_.get());
    write_certificate(path(name + ".pem"), *certificate, ca_.get());
    std::FILE* file = std::fopen(path(name + ".key").c_str(), "w");
    ::chmod(path(name + ".key").c_str(), 0600);
    EXPECT_EQ(PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
    std::fclose(file);
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
  };
  using KeyPointer = std::unique_ptr<EVP_PKEY, Free>;
  using CertificatePointer = std::unique_ptr<X509, Free>;

  static KeyPointer make_key() { return KeyPointer(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")); }

  static void extend(X509& certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, &certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    ASSERT_NE(extension, nullptr);
    X509_add_ext(&certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  static CertificatePointer make_certificate(const std::string& name, EVP_PKEY& key, const std::string& names,
                                             EVP_PKEY& signer, X509* issuer) {
    static int serial = 1;
    CertificatePointer made(X509_new());
    X509_set_version(made.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
    X509_set_pubkey(made.get(), &key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509* const by = issuer != nullptr ? issuer : made.get();
    X509_set_issuer_name(made.get(), X509_get_subject_name(by));
    extend(*made, by, NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!names.empty()) extend(*made, by, NID_subject_alt_name, names);
    EXPECT_NE(X509_sign(made.get(), &signer, EVP_sha256()), 0);
    return made;
  }

  static void write_certificate(const std::string& path, X509& certificate, X509* issuer) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    EXPECT_EQ(PEM_write_X509(file, &certificate), 1);
    EXPECT_TRUE(issuer == nullptr || PEM_write_X509(file, issuer) == 1);
    std::fclose(file);
  }

  std::filesystem::path folder_;
  KeyPointer ca_key_;
  CertificatePointer ca_;
};

}  // namespace gw::http
