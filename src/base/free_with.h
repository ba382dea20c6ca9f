#pragma once

// Owners for what C libraries hand out: std::unique_ptr<X509, base::FreeWith<X509_free>>.

namespace orchion::base {

template <auto kFree>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};

}  // namespace orchion::base
