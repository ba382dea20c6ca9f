#pragma once

#include <curl/curl.h>

#include "base/error.h"

namespace orchion::control::notify {

// What is used of libcurl. It is loaded when it is first needed: linked, its twenty shared objects would be loaded by
// every command.
struct CurlLibrary {
  decltype(&::curl_easy_init) easy_init = nullptr;
  decltype(&::curl_easy_setopt) easy_setopt = nullptr;
  decltype(&::curl_easy_perform) easy_perform = nullptr;
  decltype(&::curl_easy_getinfo) easy_getinfo = nullptr;
  decltype(&::curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&::curl_slist_append) slist_append = nullptr;
  decltype(&::curl_slist_free_all) slist_free_all = nullptr;

  // The one of this process; never unloaded. kFailedPrecondition where it isn't installed. Thread-safe.
  static base::Result<const CurlLibrary*> get();
};

}  // namespace orchion::control::notify
