// Judges requests by IAM's own rules. Reads a list of them from standard input, and writes a list of verdicts: `allowed`,
// `refused`, or `refused by a deny`. It is called from where the packages are installed.

import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const installed = createRequire(pathToFileURL(join(process.cwd(), 'package.json')))
const { runSimulation } = installed('@cloud-copilot/iam-simulate')

async function judge({ principal, account, policy, boundary, action, resource, context }) {
  const simulation = {
    request: { principal, action, resource: { resource, accountId: account }, contextVariables: context },
    identityPolicies: [{ name: 'policy', policy }],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  }
  if (boundary) simulation.permissionBoundaryPolicies = [{ name: 'boundary', policy: boundary }]
  const answer = await runSimulation(simulation, { simulationMode: 'Strict' })
  // A key that is not the action's would change nothing, on AWS neither.
  const ignored = answer.result?.ignoredContextKeys ?? []
  if (ignored.length) return `without effect: ${ignored.join(', ')}`
  if (answer.resultType === 'error') return `cannot be judged: ${JSON.stringify(answer.errors)}`
  const verdicts = { Allowed: 'allowed', ImplicitlyDenied: 'refused', ExplicitlyDenied: 'refused by a deny' }
  return verdicts[answer.overallResult] ?? `unknown verdict: ${answer.overallResult}`
}

const requests = JSON.parse(readFileSync(0, 'utf8'))
const verdicts = []
for (const request of requests) verdicts.push(await judge(request))
console.log(JSON.stringify(verdicts))
