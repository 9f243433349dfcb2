"""unittest_tap.py FILE: runs a file of unittest cases and says in TAP how they
went."""

import importlib.util
import sys
import unittest


class Tap(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.count = 0

    def line(self, test, text, details=''):
        self.count += 1
        name = test.shortDescription() or test.id().rpartition('.')[2].replace('_', ' ')
        print('%s %d - %s' % (text.split(' ')[0] if text != 'not ok' else text, self.count, name)
              + (' # SKIP ' + details if text == 'ok skip' else ''))
        if text == 'not ok':
            print('\n'.join('# ' + l for l in details.splitlines()))
        sys.stdout.flush()

    def addSuccess(self, test):
        self.line(test, 'ok')

    def addSkip(self, test, reason):
        self.line(test, 'ok skip', reason)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.line(test, 'not ok', self.failures[-1][1])

    def addError(self, test, error):
        super().addError(test, error)
        self.line(test, 'not ok', self.errors[-1][1])


def main():
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location('cases', sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    sys.modules['cases'] = module
    spec.loader.exec_module(module)
    result = Tap()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    print('1..%d' % result.count)
    sys.exit(0 if result.wasSuccessful() else 1)


main()
