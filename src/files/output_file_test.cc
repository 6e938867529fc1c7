// Files appear whole or not at all, under their own names, whatever stands there and whoever else writes.
#include "files/output_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace gw::files {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class OutputFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "gigawerk-files-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    ASSERT_TRUE(write_file(folder_ / "kept", "old").has_value());
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_))
      found.push_back(entry.path().filename().string());
    return found;
  }
  [[nodiscard]] std::string text_of(const std::string& name) const {
    return read_file(folder_ / name).value_or("(none)");
  }

  fs::path folder_;
};

TEST_F(OutputFileTest, TheOldFileStaysUntilTheNewOneIsWhole) {
  {
    Result<OutputFile> file = OutputFile::open(folder_ / "kept");
    ASSERT_TRUE(file.has_value());
    file->write("new");
    file->flush();
    EXPECT_EQ(text_of("kept"), "old");
  }
  EXPECT_THAT(names(), UnorderedElementsAre("kept"));
  EXPECT_EQ(text_of("kept"), "old");
}

TEST_F(OutputFileTest, TwoWritersOfOneFileDoNotMix) {
  Result<OutputFile> first = OutputFile::open(folder_ / "kept");
  Result<OutputFile> second = OutputFile::open(folder_ / "kept");
  ASSERT_TRUE(first.has_value() && second.has_value());
  first->write("first, the longer one");
  first->flush();
  second->write("second");
  EXPECT_EQ(names().size(), 3U);
  ASSERT_TRUE(second->commit().has_value());
  EXPECT_EQ(text_of("kept"), "second");
  ASSERT_TRUE(first->commit().has_value());
  EXPECT_EQ(text_of("kept"), "first, the longer one");
  EXPECT_THAT(names(), UnorderedElementsAre("kept"));
}

TEST_F(OutputFileTest, LinksAreWrittenThrough) {
  fs::create_directory(folder_ / "other");
  fs::create_symlink("../kept", folder_ / "other" / "relative");
  fs::create_symlink(folder_ / "other" / "relative", folder_ / "to-link");
  fs::create_symlink("not-there-yet", folder_ / "dangling");
  ASSERT_TRUE(write_file(folder_ / "to-link", "through").has_value());
  EXPECT_EQ(text_of("kept"), "through");
  ASSERT_TRUE(write_file(folder_ / "dangling", "made").has_value());
  EXPECT_EQ(text_of("not-there-yet"), "made");
  EXPECT_TRUE(fs::is_symlink(folder_ / "to-link"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "other" / "relative"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "dangling"));
  fs::create_symlink("circle", folder_ / "circle");
  EXPECT_FALSE(write_file(folder_ / "circle", "x").has_value());
}

TEST_F(OutputFileTest, WhatIsNoFileIsWrittenInPlace) {
  EXPECT_TRUE(write_file("/dev/null", "x").has_value());
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  const Result<void> full = write_file("/dev/full", "x");
  ASSERT_FALSE(full.has_value());
  EXPECT_THAT(full.error().message, HasSubstr("/dev/full: cannot write"));
}

TEST_F(OutputFileTest, AFileKeepsItsRights) {
  fs::permissions(folder_ / "kept", fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_TRUE(write_file(folder_ / "kept", "secret").has_value());
  EXPECT_EQ(fs::status(folder_ / "kept").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(OutputFileTest, FilesThatBelongTogetherAppearTogether) {
  Result<OutputFile> good = OutputFile::open(folder_ / "kept");
  Result<OutputFile> bad = OutputFile::open("/dev/full");
  ASSERT_TRUE(good.has_value() && bad.has_value());
  good->write("new");
  bad->write("x");
  {
    const std::array<OutputFile*, 3> both = {&*good, nullptr, &*bad};
    EXPECT_FALSE(commit_all(both).has_value());
  }
  EXPECT_EQ(text_of("kept"), "old");
}

TEST_F(OutputFileTest, ASignalHandlerCanRemovePartialFiles) {
  Result<OutputFile> file = OutputFile::open(folder_ / "kept");
  ASSERT_TRUE(file.has_value());
  OutputFile moved(std::move(*file));
  EXPECT_EQ(names().size(), 2U);
  remove_partial_files();
  EXPECT_THAT(names(), UnorderedElementsAre("kept"));
  EXPECT_EQ(text_of("kept"), "old");
}

TEST_F(OutputFileTest, WrittenBytesCanBeChanged) {
  Result<OutputFile> file = OutputFile::open(folder_ / "new" / "file");
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE(file->can_overwrite());
  file->write("count: 0\nrows\n");
  file->overwrite(7, "9");
  ASSERT_TRUE(file->commit().has_value());
  EXPECT_EQ(text_of("new/file"), "count: 9\nrows\n");
  EXPECT_FALSE(OutputFile::open(folder_ / "no" / "file", Folder::kMustExist).has_value());
}

}  // namespace
}  // namespace gw::files
