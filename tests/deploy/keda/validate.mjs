// Validates resources of KEDA, a JSON list on standard input. Prints the problem of each, or null, as a JSON list.
import { readFileSync } from 'node:fs'
import * as models from '@kubernetes-models/keda/keda.sh/v1alpha1'

const problems = JSON.parse(readFileSync(0, 'utf8')).map((resource) => {
  try {
    new models[resource.kind](resource).validate()
    return null
  } catch (error) {
    return error.message
  }
})
console.log(JSON.stringify(problems))
