#include "core/cdi_name.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

TEST(CdiName, IsVendorClassAndName) {
  for (const char* name : {"vendor.com/gpu=0", "nvidia.com/gpu=all", "v/c=GPU-1:2_3.x", "a-b.c/d_e=f"})
    EXPECT_TRUE(is_cdi_name(name)) << name;
  for (const char* name :
       {"", "/dev/null", "vendor.com/gpu", "vendor.com=0", "vendor/=0", "/gpu=0", "1v/gpu=0", "vendor.com/1=0",
        "vendor.com/gpu=", "vendor.com/gpu=a=b", "vendor.com/gpu=-a", "v./c=a", "v/c/d=a", "v/c=a b", "v/c=\xc3\xa4"})
    EXPECT_FALSE(is_cdi_name(name)) << name;
}

}  // namespace
}  // namespace orchion::core
