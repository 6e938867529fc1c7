// Digits read eight at a time equal digits read one by one.
#include "workload/number_text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

namespace gw::workload {
namespace {

TEST(NumberText, ReadsWhatIsWrittenUpToWhereItEnds) {
  rc::check([] {
    const auto value = *rc::gen::oneOf(rc::gen::inRange<std::int64_t>(0, 1000),
                                       rc::gen::inRange<std::int64_t>(0, 10'000'000'000),
                                       rc::gen::inRange<std::int64_t>(0, 99'999'999'999'999'999));
    const std::string behind = *rc::gen::element<std::string>("", " ", ".", "x9999999", "/:;", "\xff", "-1");
    const std::string written = std::to_string(value);
    const std::string text = written + behind + "12345678";  // More digits lie behind the end.
    std::int64_t read = -1;
    const char* at = read_digits(text.data(), text.data() + written.size() + behind.size(), read);
    RC_ASSERT(read == value);
    RC_ASSERT(at == text.data() + written.size());
  });
}

TEST(NumberText, GivesHugeRatherThanOverflow) {
  const std::string text(100, '9');
  std::int64_t read = 0;
  EXPECT_EQ(read_digits(text.data(), text.data() + 50, read), text.data() + 50);
  EXPECT_EQ(read, kHugeNumber);
  EXPECT_EQ(read_digits(text.data(), text.data(), read), text.data());
}

}  // namespace
}  // namespace gw::workload
