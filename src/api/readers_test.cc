// Long work leaves a thread for the short.
#include "api/readers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>

namespace gw::api {
namespace {

class ReadersTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "gw-readers-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    Result<std::unique_ptr<sql::Database>> database = sql::open_sqlite((folder_ / "store.db").string());
    ASSERT_TRUE(database) << database.error().message;
    database_ = std::move(*database);
    Result<std::unique_ptr<Readers>> readers = Readers::start([this] { return database_->open_reader(); }, 2);
    ASSERT_TRUE(readers) << readers.error().message;
    readers_ = std::move(*readers);
  }
  void TearDown() override {
    readers_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::filesystem::path folder_;
  std::unique_ptr<sql::Database> database_;
  std::unique_ptr<Readers> readers_;
};

TEST_F(ReadersTest, LongWorkIsDoneOneAtATime) {
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  std::promise<void> begun, short_done, both_done;
  std::atomic<int> running{0}, most{0}, done{0};
  for (int index = 0; index < 3; ++index) {
    ASSERT_TRUE(readers_->post(
        [&](live::Archive&) {
          most = std::max(most.load(), ++running);
          if (done == 0) begun.set_value();
          gone.wait();
          --running;
          if (++done == 3) both_done.set_value();
        },
        Readers::Size::kLong));
  }
  begun.get_future().wait();
  ASSERT_TRUE(readers_->post([&](live::Archive&) { short_done.set_value(); }));
  EXPECT_EQ(short_done.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(done, 0);
  go.set_value();
  EXPECT_EQ(both_done.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(most, 1);
}

TEST_F(ReadersTest, OnlySoMuchLongWorkWaits) {
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  int posted = 0;
  while (posted < 10'000 && readers_->post([gone](live::Archive&) { gone.wait(); }, Readers::Size::kLong))
    ++posted;
  EXPECT_LT(posted, 100);
  EXPECT_TRUE(readers_->post([](live::Archive&) {}));
  go.set_value();
}

}  // namespace
}  // namespace gw::api
