/*
 * realmgate demo: takes no options.
 */
#include "app/commands.h"

#include "app/demo.h"
#include "app/help.h"

#include <string.h>

exit_code_t command_demo(int argc, char **argv) {
    problem_t problem = {""};
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        help_print("demo");
        return EXIT_CLEAN;
    }
    if (argc > 1) {
        problem_set(&problem, "unexpected argument %s", argv[1]);
        return subcommand_fail("demo", EXIT_USAGE, &problem);
    }
    exit_code_t code = demo_run(&problem);
    return code == EXIT_CLEAN ? code : subcommand_fail("demo", code, &problem);
}
