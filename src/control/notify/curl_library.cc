#include "control/notify/curl_library.h"

#include <dlfcn.h>

#include <fmt/format.h>

namespace orchion::control::notify {

namespace {

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

base::Result<CurlLibrary> load() {
  const auto fail = [](const char* why) {
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("messages are sent by libcurl, which can't be loaded: install it (on Debian: apt-get "
                                  "install libcurl4) and start orchion again ({})",
                                  why));
  };
  void* library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return fail(::dlerror());
  CurlLibrary curl;
  decltype(&::curl_global_init) global_init = nullptr;
  const bool whole =
      find(library, "curl_global_init", global_init) && find(library, "curl_easy_init", curl.easy_init) &&
      find(library, "curl_easy_setopt", curl.easy_setopt) && find(library, "curl_easy_perform", curl.easy_perform) &&
      find(library, "curl_easy_getinfo", curl.easy_getinfo) && find(library, "curl_easy_cleanup", curl.easy_cleanup) &&
      find(library, "curl_slist_append", curl.slist_append) &&
      find(library, "curl_slist_free_all", curl.slist_free_all);
  if (!whole) return fail("it lacks a function");
  if (global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return fail("it doesn't start");
  return curl;
}

}  // namespace

base::Result<const CurlLibrary*> CurlLibrary::get() {
  static const base::Result<CurlLibrary> library = load();
  if (!library) return std::unexpected(library.error());
  return &*library;
}

}  // namespace orchion::control::notify
