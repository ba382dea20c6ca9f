#include "cli/command_tree.h"
#include "cli/commands.h"

namespace orchion::cli {

namespace {

void add_for_image(CommandTree& tree, CLI::App& group, const std::string& name, const std::string& help,
                   int (*run)(Context&, const std::string&)) {
  auto image = std::make_shared<std::string>();
  tree.add(group, name, help, [image, run](Context& context) { return run(context, *image); })
      ->add_option("IMAGE", *image)
      ->required();
}

struct PushOptions {
  std::string image;
  std::string destination;
  bool plain_http = false;
};

void add_push(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<PushOptions>();
  auto* push = tree.add(group, "push", "Send an image to a registry", [options](Context& context) {
    return run_image_push(context, options->image, options->destination, options->plain_http);
  });
  push->add_option("IMAGE", options->image)->required();
  push->add_option("DESTINATION", options->destination, "Another name for it there");
  push->add_flag("--plain-http", options->plain_http, "The registry speaks no TLS; loopback only");
}

struct ImportOptions {
  std::string file;
  std::string name;
};

void add_import(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<ImportOptions>();
  auto* import =
      tree.add(group, "import", "Add an image from an archive: a root file system, docker-archive or OCI layout",
               [options](Context& context) { return run_image_import(context, options->file, options->name); });
  import->add_option("FILE", options->file, "The archive; - for standard input")->required();
  import->add_option("NAME", options->name, "Its name; needed where the archive has none");
}

void add_tag(CommandTree& tree, CLI::App& group) {
  auto names = std::make_shared<std::pair<std::string, std::string>>();
  auto* tag = tree.add(group, "tag", "Give an image another name",
                       [names](Context& context) { return run_image_tag(context, names->first, names->second); });
  tag->add_option("IMAGE", names->first)->required();
  tag->add_option("NAME", names->second, "Its further name")->required();
}

// As Docker says it: the archive names the image.
void add_load(CommandTree& tree, CLI::App& group) {
  auto file = std::make_shared<std::string>("-");
  tree.add(group, "load", "Add an image that `docker save` wrote, under the name it has there",
           [file](Context& context) { return run_image_import(context, *file, ""); })
      ->add_option("-i,--input", *file, "The archive; standard input where none is given");
}

struct SaveOptions {
  std::vector<std::string> images;
  std::string file;
};

void add_save(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<SaveOptions>();
  auto* save =
      tree.add(group, "save", "Write images into an archive that Docker, Podman and `load` take",
               [options](Context& context) { return run_image_save(context, options->images, options->file); });
  save->add_option("IMAGE", options->images)->required();
  save->add_option("-o,--output", options->file, "The archive; - for standard output")->required();
}

struct LoginOptions {
  std::string registry;
  std::string user;
  bool password_from_input = false;
};

void add_login(CommandTree& tree, CLI::App& group) {
  auto options = std::make_shared<LoginOptions>();
  auto* login =
      tree.add(group, "login", "Have this machine's node enter a private registry", [options](Context& context) {
        return run_image_login(context, options->registry, options->user, options->password_from_input);
      });
  login->add_option("REGISTRY", options->registry, "As in images' names: ghcr.io")->required();
  login->add_option("-u,--username", options->user, "Asked for where it isn't given");
  login->add_flag("--password-stdin", options->password_from_input, "Read the password from standard input");
  tree.keep_local(login);
}

}  // namespace

void add_image_commands(CommandTree& tree) {
  auto& image = *tree.add_group("image", "Images on the nodes");
  tree.add(image, "ls", "List images", run_image_ls);
  add_for_image(tree, image, "pull", "Fetch an image from its registry", run_image_pull);
  add_push(tree, image);
  add_import(tree, image);
  add_tag(tree, image);
  add_load(tree, image);
  add_save(tree, image);
  add_login(tree, image);
  add_for_image(tree, image, "rm", "Remove an image", run_image_rm);
  tree.add(image, "prune", "Remove every image that no task uses", run_image_prune);
}

}  // namespace orchion::cli
