/*
 * realmgate serve: options, then the realm.
 */
#include "app/commands.h"
#include "app/config_check.h"
#include "app/help.h"
#include "app/serve.h"

exit_code_t command_serve(int argc, char **argv) {
    serve_options_t options;
    problem_t problem;
    exit_code_t code = EXIT_CLEAN;
    switch (options_serve(&options, argc, argv, &problem)) {
    case OPTIONS_OK:
        if (options.check_only) {
            config_check_print(&options);
        } else {
            code = serve_run(&options);
        }
        break;
    case OPTIONS_HELP:
        help_print("serve");
        break;
    case OPTIONS_WRONG:
        code = subcommand_fail("serve", EXIT_USAGE, &problem);
        break;
    }
    options_serve_deinit(&options);
    return code;
}
