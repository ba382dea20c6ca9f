#pragma once

// The program's own code in memory.

#include <cstdint>

#include <sys/mman.h>
#include <unistd.h>

// The linker's: where the program's file is mapped, and where its code ends.
extern "C" const char __executable_start;
extern "C" const char etext;

namespace orchion::base {

// Gives back the pages of code that starting took. Those that are still needed come again from the page cache, one
// fault each: for a process that now only waits. Any thread.
inline void release_code_pages() {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(&__executable_start) + page - 1) & ~(page - 1);
  const auto end = reinterpret_cast<std::uintptr_t>(&etext) & ~(page - 1);
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace orchion::base
