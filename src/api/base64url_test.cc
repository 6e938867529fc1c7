// What base64url is written as, and what is refused as none.
#include "api/base64url.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gw::api {
namespace {

// RFC 7515, appendix C, and RFC 4648, section 10 without its padding.
TEST(Base64url, Vectors) {
  EXPECT_EQ(base64url(std::string("\x03\xec\xff\xe0\xc1", 5)), "A-z_4ME");
  EXPECT_EQ(base64url(""), "");
  EXPECT_EQ(base64url("f"), "Zg");
  EXPECT_EQ(base64url("fo"), "Zm8");
  EXPECT_EQ(base64url("foobar"), "Zm9vYmFy");
  EXPECT_EQ(read_base64url("Zm9vYmFy"), "foobar");
  EXPECT_EQ(read_base64url("A-z_4ME"), std::string("\x03\xec\xff\xe0\xc1", 5));
}

TEST(Base64url, OnlyOneTextForEachBytes) {
  for (const char* wrong : {"Zg==", "Zg=", "Z", "Zm9vY", "Zh", "Zm9", "Zm9v ", " Zm9v", "Zm9v\n", "Zm+v",
                            "Zm/v", "Zm9v.", "Zm\xc3\xa4"})
    EXPECT_FALSE(read_base64url(wrong)) << wrong;
  EXPECT_FALSE(read_base64url(std::string("Zm9\0", 4)));
}

RC_GTEST_PROP(Base64url, ThereAndBack, (const std::string& bytes)) {
  RC_ASSERT(read_base64url(base64url(bytes)) == bytes);
}

RC_GTEST_PROP(Base64url, WhatIsReadIsWrittenAlike, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("ABab01-_+/=. \n")));
  if (const std::optional<std::string> bytes = read_base64url(text)) RC_ASSERT(base64url(*bytes) == text);
}

}  // namespace
}  // namespace gw::api
