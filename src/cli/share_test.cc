// Tests of where gw's data is looked for.
#include "cli/share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Share : public ::testing::Test {
 protected:
  void TearDown() override { unsetenv("GIGAWERK_SHARE"); }
};

TEST_F(Share, FromTheBuildItIsTheSourceTree) {
  unsetenv("GIGAWERK_SHARE");
  const Result<std::filesystem::path> found = find_share("cmake/GigawerkBuild.cmake");
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_TRUE(std::filesystem::equivalent(*found, GW_SOURCE_DIR "/cmake/GigawerkBuild.cmake"));
}

TEST_F(Share, TheEnvironmentIsTheOnlyPlaceWhenSet) {
  setenv("GIGAWERK_SHARE", GW_SOURCE_DIR "/src", 1);
  EXPECT_THAT(share_folders(), ElementsAre(std::filesystem::path(GW_SOURCE_DIR "/src")));
  EXPECT_TRUE(find_share("cli/share_test.cc").has_value());
  EXPECT_FALSE(find_share("cmake").has_value());
}

TEST_F(Share, AnErrorNamesWhatIsMissingWhereAndWhatToDo) {
  setenv("GIGAWERK_SHARE", "/no/such/place", 1);
  const Result<std::filesystem::path> found = find_share("catalog");
  ASSERT_FALSE(found.has_value());
  EXPECT_THAT(found.error().message, HasSubstr("catalog"));
  EXPECT_THAT(found.error().message, HasSubstr("/no/such/place"));
  EXPECT_THAT(found.error().message, HasSubstr("set GIGAWERK_SHARE"));
}

}  // namespace
}  // namespace gw
