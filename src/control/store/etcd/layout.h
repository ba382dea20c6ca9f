#pragma once

// Where what lies in etcd, below one prefix of its own:
//   PREFIX/epoch              the form and the epoch; the etcd revision that wrote it is the epoch's revision 0
//   PREFIX/entry/KEY          the entries
//   PREFIX/member/ID          a server, with its lease (see etcd_election.h)
//   PREFIX/leader             the id of the one that leads, with its lease
//   PREFIX/writer/NAME/SLOT   what decides whether a transaction was applied (see transaction_codec.h)

#include <string>
#include <string_view>

namespace orchion::control::store {

struct KeyRange {
  std::string begin;
  std::string end;  // the first key beyond
};

// All keys that begin with `prefix`, which holds a byte below 255.
KeyRange keys_below(std::string prefix);

class EtcdLayout {
 public:
  // `prefix` is as "/orchion": no slash at its end.
  explicit EtcdLayout(std::string prefix) : prefix_(std::move(prefix)) {}

  std::string epoch() const { return prefix_ + "/epoch"; }
  std::string leader() const { return prefix_ + "/leader"; }
  std::string member(std::string_view id) const { return prefix_ + "/member/" + std::string(id); }
  std::string entry(std::string_view key) const { return prefix_ + "/entry/" + std::string(key); }
  std::string writer(std::string_view name) const { return prefix_ + "/writer/" + std::string(name) + "/"; }

  KeyRange everything() const { return keys_below(prefix_ + "/"); }
  KeyRange entries(std::string_view key_prefix) const;
  KeyRange members() const { return keys_below(prefix_ + "/member/"); }
  KeyRange writers() const { return keys_below(prefix_ + "/writer/"); }

  bool is_entry(std::string_view etcd_key) const { return etcd_key.starts_with(prefix_ + "/entry/"); }
  bool is_writer(std::string_view etcd_key) const { return etcd_key.starts_with(prefix_ + "/writer/"); }

  // Of an entry.
  std::string key_of(std::string_view etcd_key) const { return std::string(etcd_key.substr(entry("").size())); }

 private:
  std::string prefix_;
};

}  // namespace orchion::control::store
