#pragma once

#include <string>

#include "v1/control.pb.h"

namespace orchion::cli {

// For people: a line for each thing that changes and the fields below it, then a count. "no changes" where there are
// none.
std::string plan_text(const std::string& stack, const v1::Plan& plan);

bool has_changes(const v1::Plan& plan);

// "shop/web": what would change, one a line.
std::string plan_names(const std::string& stack, const v1::Plan& plan);

// Something is stopped or its data goes: worth a question.
bool is_disruptive(const v1::Plan& plan);

}  // namespace orchion::cli
