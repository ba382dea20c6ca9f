#include "base/subordinate_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::base {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SubordinateIds, AreFoundByNameAndByNumber) {
  constexpr const char* kText = "ann:100000:65536\nbob:165536:65536\n1000:300000:10\n";
  EXPECT_THAT(parse_subordinate_ids(kText, "ann", 1000), ElementsAre(IdRange{100000, 65536}, IdRange{300000, 10}));
  EXPECT_THAT(parse_subordinate_ids(kText, "bob", 7), ElementsAre(IdRange{165536, 65536}));
  EXPECT_THAT(parse_subordinate_ids(kText, "eve", 7), IsEmpty());
}

TEST(SubordinateIds, LeavesOutWhatIsNotUnderstood) {
  for (const char* line : {"ann", "ann:", "ann:1", "ann:x:10", "ann:1:x", "ann:1:0", "ann:-1:10", "ann:4294967290:10",
                           "ann:1:10:", "#ann:1:10", "annie:1:10", ""})
    EXPECT_THAT(parse_subordinate_ids(line, "ann", 1000), IsEmpty()) << line;
  EXPECT_THAT(parse_subordinate_ids("x\nann:5:6", "ann", 1000), ElementsAre(IdRange{5, 6})) << "no newline at the end";
}

TEST(SubordinateIds, AreMappedWithoutAGap) {
  EXPECT_THAT(map_arguments(1000, {{100000, 65536}, {300000, 10}}),
              ElementsAre("0", "1000", "1", "1", "100000", "65536", "65537", "300000", "10"));
}

}  // namespace
}  // namespace orchion::base
