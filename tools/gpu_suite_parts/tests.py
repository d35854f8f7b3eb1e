"""Whether the device computes the right thing."""

import re
import shutil

SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")

# Tests that run on the device that CUDACARDS_TEST_DEVICE names: step, program, names, share of the time that is left. Those of the
# vendor's come after this project's: cuDNN compiles kernels for each problem.
OF_THE_DEVICE = [("operations, hand", "test_ops", "*on_the_device_hand*:*on_the_device_reference*", 0.4),
                 ("operations, vendor", "test_ops", "*on_the_device_cu*", 0.4), ("plans", "test_graph", "*DevicePlan*", 0.4),
                 ("training", "test_train", "DeviceTraining*", 0.4)]
OF_THE_DEVICE_TINY = [("operations, hand", "test_ops", "*Add_on_the_device_*:*add_on_the_device_*", 0.7),
                      ("plans", "test_graph", "*DevicePlan*mlp_fp32", 0.7)]
ALL_KERNELS_TINY = "Dropout*:Cast*"


def gtest_results(output):
    """Read from what was printed, so that a run that was cut off counts as well."""
    passed = re.findall(r"^\[       OK \] (\S+)", output.text, re.M)
    failed = sorted(set(re.findall(r"^\[  FAILED  \] ([^\s,]+\.[^\s,]+)", output.text, re.M)))
    skipped = re.findall(r"^\[  SKIPPED \] (\S+) \(", output.text, re.M)
    result = {"passed": len(passed), "failed": failed, "skipped": len(skipped)}
    if output.cut_off:
        begun = re.findall(r"^\[ RUN      \] (\S+)", output.text, re.M)
        if len(begun) > len(passed) + len(re.findall(r"^\[  (?:FAILED |SKIPPED )", output.text, re.M)):
            result["running"] = begun[-1]
        if not failed:
            return result
    if failed:
        first = re.search(rf"^\[ RUN      \] {re.escape(failed[0])}$.*?^\[  FAILED  \]", output.text, re.M | re.S)
        return {**result, "status": "failed", "text": (first.group(0) if first else output.text)[-4000:]}
    if not passed:
        return {**result, "status": "skipped" if output.code == 0 else "failed", "reason": "no test ran", "text": output.text[-2000:]}
    return result


def tests_of(programs, program, text_filter):
    """Names that a GoogleTest program lists."""
    from .record import run_for
    names, suite = [], ""
    for line in run_for([programs[program], "--gtest_list_tests", f"--gtest_filter={text_filter}"], 60).text.splitlines():
        if line.startswith("  "):
            names.append(suite + line.split("#")[0].strip())
        elif line.split("#")[0].strip().endswith("."):
            suite = line.split("#")[0].strip()
    return names


def kernel_program(device):
    return "test_kernels_emulated" if device == "emulated" else "test_kernels_cuda"


def kernels_and_plans(steps, programs, options):
    """Every kernel once, then that operations, plans and training compute what the CPU does, then all tests of the kernels."""
    if options.device == "cpu":
        return steps.skip("kernels", "these are tests of the kernels: they run on GPUs and on the emulator")
    program = kernel_program(options.device)
    names = ALL_KERNELS_TINY if options.tiny else "*"
    first = one_of_each(tests_of(programs, program, names))
    steps.run("kernels, one test of each kind", [programs[program], f"--gtest_filter={':'.join(first)}"], limit=steps.left() * 0.3,
              parse=gtest_results)
    for name, tests, wanted, share in OF_THE_DEVICE_TINY if options.tiny else OF_THE_DEVICE:
        environment = {"OMP_WAIT_POLICY": "passive", "CUDACARDS_TEST_DEVICE": options.device}
        steps.run(name, [programs[tests], f"--gtest_filter={wanted}"], limit=steps.left() * share, parse=gtest_results,
                  environment=environment)
    steps.run("kernels", [programs[program], f"--gtest_filter={names}"], parse=gtest_results)
    return None


def sanitizer_errors(output):
    found = re.findall(r"ERROR SUMMARY: (\d+) error|RACECHECK SUMMARY: (\d+) hazard", output.text)
    errors = sum(int(a or b) for a, b in found)
    tests = gtest_results(output)
    result = {"errors": errors, "passed": tests["passed"], "failed": tests["failed"]}
    if errors:
        begin = output.text.find("========= ", output.text.find("=========") + 1)
        result.update(status="failed", text=output.text[max(begin, 0):][:4000])
    elif not found and not output.cut_off:
        result.update(status="failed", text="no summary\n" + output.text[-2000:])
    return result


def one_of_each(names):
    """The first test of each suite, leaving out those that run long under a tool that watches every access."""
    first = {}
    for name in names:
        suite = name.partition(".")[0].split("/")[-1]
        if not re.search(r"Large|Random|EveryTuning|Traffic|Repeat", name):
            first.setdefault(suite, name)
    return list(first.values())


def sanitize(steps, programs, options):
    tool = shutil.which("compute-sanitizer") or shutil.which("/usr/local/cuda/bin/compute-sanitizer")
    if options.device != "cuda" or tool is None:
        steps.skip("compute-sanitizer", "no compute-sanitizer" if tool is None else "watches GPUs only")
        return
    names = one_of_each(tests_of(programs, "test_kernels_cuda", "*"))
    share = steps.left() / len(SANITIZERS)
    for name in SANITIZERS:
        steps.run(name, [tool, f"--tool={name}", "--print-limit=10", "--error-exitcode=99", programs["test_kernels_cuda"],
                         f"--gtest_filter={':'.join(names)}"], limit=share, parse=sanitizer_errors)
