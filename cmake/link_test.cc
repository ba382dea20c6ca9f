// Linked with the whole of one library and only what that library declares: it links, or a layer was crossed.
int main() {
  return 0;
}
