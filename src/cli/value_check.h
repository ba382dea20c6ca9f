#pragma once

// What stands behind an option, looked at before anything is done. Pure.

#include <string>
#include <vector>

namespace orchion::cli {

// Each says in one sentence what is wrong with `text` and what to write instead; empty: nothing is.
std::string check_duration(const std::string& text);
std::string check_moment(const std::string& text);  // as --since takes it
std::string check_field(const std::string& text);   // NAME=VALUE
std::string check_memory(const std::string& text);
std::string check_cpus(const std::string& text);
std::string check_ports(const std::string& text);
std::string check_name(const std::string& text);        // of a stack or a service
std::string check_variable(const std::string& text);    // NAME=VALUE, or NAME
std::string check_keys(const std::string& text);        // as --detach-keys takes them
std::string check_server(const std::string& text);      // http://HOST:PORT or unix:PATH
std::string check_listener(const std::string& text);    // HOST:PORT; port 0: any
std::string check_forwarding(const std::string& text);  // [LOCAL:]REMOTE, ports
std::string check_scaling(const std::string& text);     // SERVICE=N

// A whole number of these.
std::string check_number(const std::string& text, std::int64_t least, std::int64_t most);

// One of `choices`; names the one that was probably meant.
std::string check_choice(const std::string& text, const std::vector<std::string>& choices);

}  // namespace orchion::cli
