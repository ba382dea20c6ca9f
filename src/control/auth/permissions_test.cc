#include "control/auth/permissions.h"

#include <gtest/gtest.h>

namespace orchion::control::auth {
namespace {

using base::Code;

const Identity kNobody;
const Identity kAdmin{Identity::Kind::kUser, "admin", {"*"}};
const Identity kReader{Identity::Kind::kUser, "reader", {"stacks.read", "tasks.read"}};
const Identity kNode{Identity::Kind::kNode, "pi", {}};

TEST(Allowed, DecidesByIdentityAndPermission) {
  struct Case {
    const Identity& identity;
    const char* permission;
    Code expected;
  };
  const Case cases[] = {
      {kNobody, "public", Code::kOk},
      {kNobody, "stacks.read", Code::kUnauthenticated},
      {kNobody, "agent", Code::kUnauthenticated},
      {kReader, "public", Code::kOk},
      {kReader, "stacks.read", Code::kOk},
      {kReader, "stacks.write", Code::kPermissionDenied},
      {kReader, "stacks", Code::kPermissionDenied},
      {kReader, "agent", Code::kPermissionDenied},
      {kNode, "agent", Code::kOk},
      {kNode, "stacks.read", Code::kPermissionDenied},
      {kAdmin, "stacks.write", Code::kOk},
      {kAdmin, "agent", Code::kOk},
      {kAdmin, "", Code::kPermissionDenied},
      {kNobody, "", Code::kPermissionDenied},
  };
  for (const auto& [identity, permission, expected] : cases) {
    const auto decided = allowed(identity, permission);
    EXPECT_EQ(decided ? Code::kOk : decided.error().code, expected) << identity.name << " " << permission;
  }
}

TEST(Allowed, SaysWhatIsMissing) {
  EXPECT_NE(allowed(kReader, "stacks.write").error().message.find("\"stacks.write\""), std::string::npos);
  EXPECT_NE(allowed(kReader, "stacks.write").error().message.find("reader"), std::string::npos);
}

}  // namespace
}  // namespace orchion::control::auth
