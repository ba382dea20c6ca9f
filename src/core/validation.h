#pragma once

// What may be stored. All that is wrong is said at once, each with an RFC 6901 pointer into the request.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "v1/specs.pb.h"

namespace orchion::core {

// The executor of programs of the node itself, which have no image.
inline constexpr char kProcessExecutor[] = "process";

constexpr std::uint32_t kReplicasMax = 10'000;

using Violations = std::vector<base::FieldViolation>;

// kInvalidArgument with every violation, or nothing. Fill the defaults first. The pointers are those of an
// ApplyStackRequest: "/name", "/spec/services/0/spec/container/image".
base::Result<> validate_stack(std::string_view name, const v1::StackSpec& spec);

// What can be seen without the stack around it: pointers begin at `at` ("/spec").
void check_service(const v1::ServiceSpec& spec, const std::string& at, Violations& violations);
void check_job(const v1::JobSpec& spec, const std::string& at, Violations& violations);
void check_container(const v1::ContainerSpec& container, const std::string& at, Violations& violations);

// The part of check_container() that looks at what few containers have.
void check_container_options(const v1::ContainerSpec& container, const std::string& at, Violations& violations);

// A name of a stack, service, job, network, volume or node.
void check_name(std::string_view name, const std::string& at, std::string_view what, Violations& violations);

// One sentence that names the first violation and counts the others. Nothing where there is none.
base::Result<> as_result(std::string_view what, Violations violations);

}  // namespace orchion::core
